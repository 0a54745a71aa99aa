"""How a game is packaged: one top directory, game/ in it, an executable launcher at its root."""

import subprocess
from pathlib import Path

import pytest

from slipway.archive.archive_rejected import ArchiveRejected, display_name
from slipway.archive.inspection import Inspection
from tests.slipway.archive.inspect_archive import assert_refused, inspect
from tests.slipway.archive.tar_writer import END, GAME, LAUNCHER, directory, file, game, gz, hard_link, symlink

TOP = directory("mygame/")
STARTER = file("mygame/start.sh", b"#!/bin/sh\n", mode=0o755)
SCRIPT = file("mygame/game/script.rpy", b"label start:\n")


def test_a_good_game_is_described() -> None:
    assert inspect(game(SCRIPT)) == Inspection(
        top_directory="mygame", launcher="start.sh", unpacked_bytes=23, members=4, warnings=()
    )


def test_directories_need_no_members_of_their_own() -> None:
    assert inspect(gz(STARTER + SCRIPT + END)).members == 2


@pytest.mark.parametrize(
    "members", [TOP + STARTER, STARTER + file("mygame/game"), STARTER + symlink("mygame/game", "data")]
)
def test_a_game_without_its_game_directory_is_refused(members: bytes) -> None:
    assert_refused(gz(members + END), problem="mygame has no game/ directory", remedy="complete built game")


def test_an_archive_of_the_wrong_folder_is_refused_with_the_command_for_it() -> None:
    """Packaged from inside: `tar czf x.tar.gz game start.sh`."""
    assert_refused(
        gz(file("game/script.rpy") + file("start.sh", mode=0o755) + END),
        member="start.sh",
        problem="start.sh is at the top of the archive, outside the game's directory",
        remedy="tar czf game.tar.gz mygame",
    )


@pytest.mark.parametrize(
    ("above", "first"), [("home/dev", "home/dev/mygame/"), ("tmp/abs", ""), ("a b", "")], ids=["home", "tmp", "a space"]
)
def test_an_archive_with_the_folders_above_the_game_is_told_the_right_command(above: str, first: str) -> None:
    members = [
        *([directory(first)] if first else []),
        file(f"{above}/mygame/start.sh", b"#!/bin/sh\n", mode=0o755),
        file(f"{above}/mygame/lib/game/data"),
        file(f"{above}/mygame/game/script.rpy"),
        file(f"{above}/mygame/game/game/deeper"),
    ]
    top, quoted = above.partition("/")[0], f"'{above}'" if " " in above else above
    shown = f'"{above}/mygame"' if " " in above else f"{above}/mygame"
    for launcher in ("start.sh", None):
        assert_refused(
            gz(b"".join(members) + END),
            launcher=launcher,
            problem=f"{display_name(top)} has no game/ directory. The game is in {shown}",
            remedy=f"Package only the game's directory: tar czf game.tar.gz -C {quoted} mygame",
        )


def test_the_command_for_the_folders_above_the_game_works(tmp_path: Path) -> None:
    top = tmp_path / "mygame"
    (top / "game").mkdir(parents=True)
    (top / "start.sh").write_bytes(b"#!/bin/sh\n")
    (top / "start.sh").chmod(0o755)
    packed = subprocess.run(["tar", "czf", "-", top], check=True, capture_output=True).stdout  # strips the leading /
    with pytest.raises(ArchiveRejected) as caught:
        inspect(packed)
    above = str(tmp_path)[1:]
    assert f"tar czf game.tar.gz -C {above} mygame (or with -C /{above}, if" in caught.value.remedy
    command = ["tar", "czf", "-", "-C", f"/{above}", "mygame"]
    assert inspect(subprocess.run(command, check=True, capture_output=True).stdout).members == 3


def test_an_empty_archive_is_refused() -> None:
    assert_refused(gz(END), problem="The archive is empty", remedy="tar czf")
    assert_refused(gz(directory("./") + END), problem="The archive is empty", remedy="tar czf")


def test_a_missing_launcher_is_refused() -> None:
    assert_refused(
        game(file("mygame/game/play.sh", mode=0o755)),
        launcher="play.sh",
        member="mygame/play.sh",
        problem="The launcher mygame/play.sh is not in the archive; at the root are start.sh",
        remedy="change the launcher in the game's metadata",
    )


def test_a_launcher_without_an_x_bit_is_refused() -> None:
    assert_refused(
        game(file("mygame/play.sh")),
        launcher="play.sh",
        member="mygame/play.sh",
        problem="The launcher mygame/play.sh is not executable",
        remedy="chmod +x mygame/play.sh && python3 -m tarfile -c game.tar.gz mygame",
    )


@pytest.mark.parametrize("mode", [0o744, 0o654, 0o645])
def test_any_x_bit_makes_a_launcher(mode: int) -> None:
    assert inspect(game(file("mygame/play.sh", b"#!", mode=mode)), launcher="play.sh").launcher == "play.sh"


@pytest.mark.parametrize(
    ("member", "what"),
    [(symlink("mygame/play.sh", "start.sh"), "is a symbolic link"), (directory("mygame/play.sh/"), "is a directory")],
)
def test_a_launcher_that_is_no_file_is_refused(member: bytes, what: str) -> None:
    assert_refused(
        game(member), launcher="play.sh", member="mygame/play.sh", problem=what, remedy="Put the script itself"
    )


def test_a_launcher_that_is_only_an_implied_directory_is_refused() -> None:
    assert_refused(
        game(file("mygame/play.sh/a")),
        launcher="play.sh",
        member="mygame/play.sh",
        problem="is a directory",
        remedy="Put the script itself",
    )


def test_a_launcher_may_be_another_name_of_an_executable_file() -> None:
    assert inspect(game(hard_link("mygame/play.sh", "mygame/start.sh")), launcher="play.sh").launcher == "play.sh"


def test_without_metadata_the_single_executable_script_is_the_launcher() -> None:
    others = [
        file("mygame/notes.sh"),
        file("mygame/tool", mode=0o755),
        file("mygame/game/deep.sh", mode=0o755),
        symlink("mygame/link.sh", LAUNCHER),
        directory("mygame/folder.sh/"),
    ]
    assert inspect(game(*others), launcher=None).launcher == LAUNCHER


def test_without_metadata_several_executable_scripts_are_refused_by_name() -> None:
    assert_refused(
        game(file("mygame/other.sh", mode=0o755)),
        launcher=None,
        problem="mygame has several executable .sh files at its root: start.sh, other.sh",
        remedy="Name the launcher in the game's metadata",
    )


def test_without_metadata_a_script_without_x_bit_is_named() -> None:
    assert_refused(
        gz(TOP + file("mygame/start.sh") + SCRIPT + END),
        launcher=None,
        problem="no executable .sh file at its root. Not executable: start.sh",
        remedy="chmod +x",
    )


def test_without_metadata_and_without_scripts_there_is_no_launcher() -> None:
    assert_refused(
        gz(TOP + SCRIPT + END), launcher=None, problem="has no .sh file at its root", remedy="Put the launcher there"
    )


@pytest.mark.parametrize("path", ["._mygame", "mygame/._start.sh", "./._mygame"])
def test_macos_metadata_is_refused_even_as_the_first_member(path: str) -> None:
    assert_refused(
        gz(file(path) + GAME + END),
        member=path.removeprefix("./"),
        problem="is a macOS metadata file",
        remedy="COPYFILE_DISABLE=1 tar czf game.tar.gz mygame",
    )


def test_macos_folder_settings_are_a_warning() -> None:
    warnings = inspect(game(file("mygame/.DS_Store"), file("mygame/game/.DS_Store"))).warnings
    assert warnings == ("2 .DS_Store files (macOS) are in the archive; tar --exclude .DS_Store leaves them out",)
