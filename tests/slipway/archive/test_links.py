"""Where links may point."""

import pytest

from tests.slipway.archive.inspect_archive import assert_refused, inspect
from tests.slipway.archive.tar_writer import directory, file, game, gnu_long_link, hard_link, pax, symlink

COPY = "--hard-dereference"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("mygame/lib/python", "python3"),
        ("mygame/lib/python", "./python3"),
        ("mygame/lib/start", "../start.sh"),
        ("mygame/here", "."),
        ("mygame/lib/up", ".."),
        ("mygame/lib/deep", "../game/images//a.png"),
        ("mygame/loop", "loop"),
        ("mygame/dangling", "not/there"),
    ],
)
def test_a_symlink_may_point_anywhere_inside_the_top_directory(path: str, target: str) -> None:
    assert inspect(game(symlink(path, target))).members == 4


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("mygame/out", ".."),
        ("mygame/out", "../other"),
        ("mygame/out", "../mygame/start.sh"),
        ("mygame/lib/out", "../.."),
        ("mygame/lib/out", "../../etc/passwd"),
        ("mygame/lib/out", "a/../../../b"),
        ("mygame/lib/out", "./.././../b"),
    ],
)
def test_a_symlink_that_leaves_the_top_directory_is_refused(path: str, target: str) -> None:
    assert_refused(
        game(symlink(path, target)),
        member=path,
        problem=f"{path} points outside the archive, to {target}",
        remedy="relative link that stays inside mygame",
    )


def test_an_absolute_symlink_is_refused() -> None:
    assert_refused(
        game(symlink("mygame/out", "/usr/bin/python3")),
        member="mygame/out",
        problem="mygame/out points to the absolute path /usr/bin/python3",
        remedy="relative link",
    )


def test_a_symlink_that_climbs_after_a_name_is_refused() -> None:
    """Lexically mygame/a/b/c/.. is mygame/a/b; followed, c is mygame, and its parent is outside."""
    assert_refused(
        game(symlink("mygame/a/b/c", "../.."), symlink("mygame/a/b/out", "c/..")),
        member="mygame/a/b/out",
        problem='points to c/.., with ".." after a name',
        remedy="relative link",
    )


@pytest.mark.parametrize("target", ["a\\b", "a\nb", "a\u202eb"])
def test_a_symlinks_target_follows_the_rules_of_names(target: str) -> None:
    assert_refused(
        game(symlink("mygame/odd", target)), member="mygame/odd", problem="mygame/odd has a", remedy="Rename it"
    )


def test_a_symlinks_target_has_to_be_utf8() -> None:
    assert_refused(game(symlink("mygame/odd", b"\xff")), member="mygame/odd", problem="not UTF-8", remedy="convmv")


def test_an_empty_symlink_is_refused() -> None:
    assert_refused(
        game(symlink("mygame/odd", "")), member="mygame/odd", problem="has an empty target", remedy="Remove it"
    )


@pytest.mark.parametrize("extended", [gnu_long_link("../../out"), pax({"linkpath": "../../out"})])
def test_a_long_link_target_is_the_one_that_counts(extended: bytes) -> None:
    assert_refused(
        game(extended, symlink("mygame/odd", "start.sh")),
        member="mygame/odd",
        problem="points outside the archive, to ../../out",
        remedy="relative link",
    )


def test_nothing_is_written_through_a_symlink() -> None:
    assert_refused(
        game(symlink("mygame/lib", "game"), file("mygame/lib/a.rpy")),
        member="mygame/lib/a.rpy",
        problem="would be written through the symbolic link mygame/lib",
        remedy="tar czf game.tar.gz mygame",
    )
    assert_refused(
        game(symlink("mygame/lib", "game"), directory("mygame/lib/deep/er/")),
        member="mygame/lib/deep/er",
        problem="would be written through the symbolic link mygame/lib",
        remedy="tar czf game.tar.gz mygame",
    )


def test_a_symlink_cannot_take_the_place_of_a_directory() -> None:
    assert_refused(
        game(file("mygame/lib/a.rpy"), symlink("mygame/lib", "game")),
        member="mygame/lib",
        problem="is stored as a directory and later as a file or link",
        remedy="tar -r",
    )


def test_a_hard_link_is_another_name_of_an_earlier_file() -> None:
    inspection = inspect(
        game(hard_link("mygame/again.sh", "mygame/start.sh"), hard_link("mygame/x", "./mygame/again.sh"))
    )
    assert (inspection.members, inspection.unpacked_bytes) == (5, 10)


@pytest.mark.parametrize("target", ["other/file", "etc", "mygame2/start.sh"])
def test_a_hard_link_that_leaves_the_top_directory_is_refused(target: str) -> None:
    assert_refused(
        game(hard_link("mygame/out", target)),
        member="mygame/out",
        problem=f"mygame/out points outside mygame, to {target}",
        remedy=COPY,
    )


@pytest.mark.parametrize(
    ("target", "problem"), [("/etc/passwd", "absolute path"), ("mygame/../../x", 'has ".."'), ("../x", 'has ".."')]
)
def test_a_hard_links_target_follows_the_rules_of_paths(target: str, problem: str) -> None:
    assert_refused(game(hard_link("mygame/out", target)), member="mygame/out", problem=problem, remedy="relative name")


@pytest.mark.parametrize("target", ["mygame/missing", "mygame/out"])
def test_a_hard_link_to_a_missing_member_is_refused(target: str) -> None:
    assert_refused(
        game(hard_link("mygame/out", target), file("mygame/missing")),
        member="mygame/out",
        problem=f"mygame/out points to {target}, which is not in the archive before it",
        remedy=COPY,
    )


@pytest.mark.parametrize("target", ["mygame/game", "mygame", "mygame/link"])
def test_a_hard_link_to_what_is_no_file_is_refused(target: str) -> None:
    """A second name of a symlink, elsewhere, would make the same relative target mean another place."""
    assert_refused(
        game(symlink("mygame/link", "start.sh"), hard_link("mygame/out", target)),
        member="mygame/out",
        problem=f"points to {target}, which is not a file",
        remedy=COPY,
    )
