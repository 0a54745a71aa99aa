"""Names that look alike: one launcher in two spellings, and messages that say how two names differ."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path

import pytest

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.name_differences import name_difference
from slipway.archive.unpacking import unpack
from tests.slipway.archive.inspect_archive import assert_refused, inspect
from tests.slipway.archive.tar_writer import END, directory, file, game, gz, hard_link

NFC, NFD = (unicodedata.normalize(form, "café.sh") for form in ("NFC", "NFD"))
SCRIPT = b"#!/bin/sh\n"
TOP = directory("mygame/") + directory("mygame/game/")


@pytest.mark.parametrize(("registered", "packed"), [(NFC, NFD), (NFD, NFC), (NFC, NFC), (NFD, NFD)])
def test_a_launcher_is_the_same_in_nfc_and_nfd(registered: str, packed: str, tmp_path: Path) -> None:
    """The build has the archive's spelling: under that name the file is on the servers."""
    data = gz(TOP + file(f"mygame/{packed}", SCRIPT, mode=0o755) + END)
    assert inspect(data, launcher=registered).launcher == packed
    unpacked = unpack(io.BytesIO(data), tmp_path, ArchiveLimits(), registered)
    assert (tmp_path / "mygame" / unpacked.launcher).read_bytes() == SCRIPT


@pytest.mark.parametrize(("registered", "packed"), [(NFC, NFD), (NFD, NFC)])
def test_a_launcher_in_another_spelling_follows_the_same_rules(registered: str, packed: str) -> None:
    for member, problem in (
        (file(f"mygame/{packed}", SCRIPT), "is not executable"),
        (file(f"mygame/{packed}", b"", mode=0o755), "is empty"),
        (directory(f"mygame/{packed}/"), "is a directory"),
    ):
        assert_refused(game(member), launcher=registered, member=f"mygame/{packed}", problem=problem, remedy="")


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        (NFC, NFD, "The two names differ only in how their accents are encoded (Unicode NFC and NFD)"),
        ("Start.sh", "start.sh", "The two names differ only in upper and lower case"),
        ("my game.sh", "my  game.sh", "The two names differ only in their spaces"),
        ("my game.sh", "my\u00a0game.sh", "The two names differ only in their spaces"),
        ("start.sh", "st\u0430rt.sh", "has U+0061 (latin small letter a) where the second has U+0430 (cyrillic small"),
        ("l0ad.sh", "1Oad.sh", "The two names look alike, but the first has U+006C (latin small letter l) where"),
        ("my-game.sh", "my_game.sh", "has U+002D (hyphen-minus) where the second has U+005F (low line)"),
        ("start.sh", "begin.sh", ""),
        ("start.sh", "stark.sh", ""),
        ("start.sh", "restart.sh", ""),
        ("ΑΒΓΔ.sh", "АБВГ.sh", ""),
        ("start.sh", "start.sh", ""),
    ],
)
def test_how_two_names_differ_is_told_if_they_look_alike(first: str, second: str, difference: str) -> None:
    found = name_difference(first, second)
    assert difference in found
    assert bool(found) == bool(difference)


def test_a_missing_launcher_beside_one_that_looks_alike() -> None:
    assert_refused(
        game(file("mygame/st\u0430rt2.sh", SCRIPT, mode=0o755)),
        launcher="start2.sh",
        member="mygame/start2.sh",
        problem="The launcher mygame/start2.sh is not in the archive; at the root are start.sh, st\u0430rt2.sh. The "
        "two names look alike, but the first has U+0061 (latin small letter a) where the second has U+0430",
        remedy="change the launcher",
    )
    assert_refused(
        game(file("mygame/Play.sh", SCRIPT)),
        launcher="play.sh",
        member="mygame/play.sh",
        problem="at the root are start.sh, Play.sh. The two names differ only in upper and lower case",
        remedy="change the launcher",
    )


def test_several_scripts_that_look_alike() -> None:
    assert_refused(
        game(file("mygame/Start.sh", SCRIPT, mode=0o755)),
        launcher=None,
        problem="at its root: start.sh, Start.sh. The two names differ only in upper and lower case",
        remedy="Name the launcher",
    )


def test_two_top_directories_that_look_alike() -> None:
    one, other = (unicodedata.normalize(form, "mygamé") for form in ("NFC", "NFD"))
    assert_refused(
        gz(file(f"{one}/a") + file(f"{other}/b") + END),
        member=f"{other}/b",
        problem="exactly one top directory. The two names differ only in how their accents are encoded",
        remedy="one directory",
    )


@pytest.mark.parametrize(("stored", "named"), [(NFC, NFD), (NFD, NFC)])
def test_a_hard_link_that_spells_its_target_in_another_way(stored: str, named: str) -> None:
    assert_refused(
        game(file(f"mygame/{stored}"), hard_link("mygame/link", f"mygame/{named}")),
        member="mygame/link",
        problem="which is not in the archive before it. A file before it differs only in how its accents are encoded",
        remedy="--hard-dereference",
    )
