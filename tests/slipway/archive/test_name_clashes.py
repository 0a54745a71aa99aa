"""Names that are used twice, or that can be taken for one another."""

import unicodedata

import pytest

from tests.slipway.archive.inspect_archive import assert_refused, inspect
from tests.slipway.archive.tar_writer import END, directory, file, game, gz, hard_link, symlink

APPENDED = "Do not append to archives"
NFC, NFD = "é", unicodedata.normalize("NFD", "é")


@pytest.mark.parametrize(
    "again",
    [file("mygame/a"), symlink("mygame/a", "start.sh"), hard_link("mygame/a", "mygame/start.sh")],
    ids=["file", "symlink", "hard link"],
)
def test_a_second_member_of_the_same_name_is_refused(again: bytes) -> None:
    assert_refused(
        game(file("mygame/a"), again), member="mygame/a", problem="mygame/a is stored twice", remedy=APPENDED
    )


def test_a_directory_stored_twice_is_accepted() -> None:
    assert inspect(game(directory("mygame/game/"), directory("mygame/game"), directory("mygame/"))).members == 6


def test_a_directory_may_come_after_what_it_holds() -> None:
    assert inspect(game(file("mygame/lib/a"), directory("mygame/lib/"))).members == 5


def test_a_file_cannot_become_a_directory() -> None:
    assert_refused(
        game(file("mygame/a"), directory("mygame/a/")),
        member="mygame/a",
        problem="mygame/a is stored as a file or link and later as a directory",
        remedy=APPENDED,
    )


def test_nothing_lies_inside_a_file() -> None:
    assert_refused(
        game(file("mygame/a"), file("mygame/a/b/c")),
        member="mygame/a/b/c",
        problem="mygame/a/b/c is inside mygame/a, which is a file",
        remedy="tar czf game.tar.gz mygame",
    )


@pytest.mark.parametrize("first", [directory("mygame/a/"), file("mygame/a/b")], ids=["stored", "implied"])
def test_a_directory_cannot_become_a_file(first: bytes) -> None:
    assert_refused(
        game(first, file("mygame/a")),
        member="mygame/a",
        problem="mygame/a is stored as a directory and later as a file or link",
        remedy=APPENDED,
    )


@pytest.mark.parametrize(("first", "second"), [(NFC, NFD), (NFD, NFC)], ids=["NFC first", "NFD first"])
def test_names_that_differ_only_in_unicode_normalisation_are_refused(first: str, second: str) -> None:
    assert_refused(
        game(file(f"mygame/{first}.png"), file(f"mygame/{second}.png")),
        member=f"mygame/{second}.png",
        problem="accents encoded in two ways (Unicode NFC and NFD)",
        remedy="Keep one of them",
    )


def test_two_spellings_that_are_both_not_nfc_are_refused() -> None:
    below, above = "\u0323", "\u0307"  # a dot below and a dot above: their order does not matter
    assert_refused(
        game(file(f"mygame/s{below}{above}"), file(f"mygame/s{above}{below}")),
        member=f"mygame/s{above}{below}",
        problem="accents encoded in two ways",
        remedy="Keep one of them",
    )


def test_directories_that_are_only_implied_collide_too() -> None:
    assert_refused(
        game(file(f"mygame/{NFC}/a"), file(f"mygame/{NFD}/b")),
        member=f"mygame/{NFD}",
        problem="accents encoded in two ways",
        remedy="Keep one of them",
    )


def test_a_name_that_is_only_written_in_nfd_is_fine() -> None:
    assert inspect(game(file(f"mygame/{NFD}/{NFD}"), file(f"mygame/{NFD}/b"))).warnings == ()


@pytest.mark.parametrize(("first", "second"), [("README", "readme"), ("readme", "README"), ("ReadMe", "README")])
def test_names_that_differ_only_in_case_are_a_warning(first: str, second: str) -> None:
    inspection = inspect(game(file(f"mygame/{first}"), file(f"mygame/{second}")))
    assert inspection.warnings == (f"mygame/{second} differs from another name only in upper and lower case",)


def test_directories_that_differ_in_case_are_one_warning() -> None:
    inspection = inspect(game(file("mygame/Lib/a"), file("mygame/Lib/b"), file("mygame/lib/a"), file("mygame/lib/b")))
    assert inspection.warnings == ("mygame/lib differs from another name only in upper and lower case",)


def test_the_list_of_warnings_is_bounded() -> None:
    pairs = [file(f"mygame/{letter}{number}") for number in range(25) for letter in "Aa"]
    warnings = inspect(game(*pairs)).warnings
    assert len(warnings) == 21
    assert warnings[-1] == "5 more names differ from another name only in case"


def test_names_are_compared_inside_their_own_directory() -> None:
    assert inspect(game(file("mygame/a/x"), file("mygame/b/X"))).warnings == ()


def test_a_second_top_directory_is_refused() -> None:
    assert_refused(
        game(file("other/a")),
        member="other/a",
        problem="other/a is beside mygame: an archive must have exactly one top directory",
        remedy="one directory",
    )


def test_a_file_at_the_top_is_refused() -> None:
    assert_refused(
        game(file("README.txt")), member="README.txt", problem="is at the top of the archive", remedy="one directory"
    )
    assert_refused(
        gz(symlink("mygame", "game") + END), member="mygame", problem="is at the top", remedy="one directory"
    )
