"""What a path in an archive may look like."""

import unicodedata

import pytest

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.invisible_characters import INVISIBLE
from tests.slipway.archive.inspect_archive import assert_refused, inspect
from tests.slipway.archive.tar_writer import (
    END,
    GAME,
    directory,
    file,
    game,
    gnu_long_name,
    gz,
    hard_link,
    header,
    pax,
    symlink,
)

FROM_ABOVE = "tar czf game.tar.gz mygame"


def test_an_absolute_path_is_refused() -> None:
    assert_refused(
        game(file("/etc/passwd")), member="/etc/passwd", problem="/etc/passwd is an absolute path", remedy=FROM_ABOVE
    )


@pytest.mark.parametrize("path", ["mygame/../evil", "../evil", "mygame/game/..", ".."])
def test_a_path_that_climbs_is_refused(path: str) -> None:
    assert_refused(game(file(path)), member=path, problem='has ".." in its path', remedy=FROM_ABOVE)


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/tmp/abs/mygame/", "-C /tmp/abs mygame"),
        ("../mygame/", "-C .. mygame"),
        ("/mygame/", "-C / mygame"),
        ("../a b/mygame/", "-C '../a b' mygame"),
        ("../", "mygame"),
        ("/tmp/mygame/start.sh", "mygame"),
    ],
)
def test_the_remedy_is_the_command_for_the_directory_that_was_packaged(path: str, command: str) -> None:
    with pytest.raises(ArchiveRejected) as caught:
        inspect(gz(directory(path) if path.endswith("/") else file(path)))
    assert caught.value.remedy.endswith(f"tar czf game.tar.gz {command}")


def test_dots_inside_a_name_are_no_climbing() -> None:
    assert inspect(game(file("mygame/a..b"), file("mygame/...x"), file("mygame/..."))).members == 6


def test_a_backslash_is_refused() -> None:
    path = "mygame\\game\\a.rpy"
    assert_refused(game(file(path)), member=path, problem="has a backslash", remedy="package the game on Linux")


def test_a_nul_inside_a_pax_path_is_refused() -> None:
    assert_refused(
        game(pax({"path": b"mygame/a\0b"}), file("mygame/ignored")),
        member=r"mygame/a\x00b",
        problem="invisible character (U+0000)",
        remedy="Rename it",
    )


def test_a_nul_inside_a_gnu_long_name_is_refused() -> None:
    assert_refused(
        game(gnu_long_name("mygame/a\0b"), file("mygame/ignored")),
        member=r"mygame/a\x00b",
        problem="invisible character (U+0000)",
        remedy="Rename it",
    )


@pytest.mark.parametrize(
    ("character", "code", "shown"),
    [
        ("\n", "U+000A", r"\n"),
        ("\x1b", "U+001B", r"\x1b"),
        ("\x7f", "U+007F", r"\x7f"),
        ("\x85", "U+0085", r"\x85"),
        ("\u2028", "U+2028", r"\u2028"),
        ("\u202e", "U+202E", r"\u202e"),
        ("\u2066", "U+2066", r"\u2066"),
        ("\u200f", "U+200F", r"\u200f"),
        ("\u061c", "U+061C", r"\u061c"),
        ("\u200b", "U+200B", r"\u200b"),  # zero-width space
        ("\u200c", "U+200C", r"\u200c"),
        ("\u200d", "U+200D", r"\u200d"),
        ("\u2060", "U+2060", r"\u2060"),  # word joiner
        ("\ufeff", "U+FEFF", r"\ufeff"),  # zero-width no-break space
        ("\u00ad", "U+00AD", r"\xad"),  # soft hyphen
        ("\u034f", "U+034F", r"\u034f"),
        ("\u115f", "U+115F", r"\u115f"),  # a filler
        ("\u180e", "U+180E", r"\u180e"),
        ("\u2064", "U+2064", r"\u2064"),
        ("\u3164", "U+3164", r"\u3164"),
        ("\ufe0f", "U+FE0F", r"\ufe0f"),  # a variation selector
        ("\ufff9", "U+FFF9", r"\ufff9"),
        ("\U000e0041", "U+E0041", r"\U000e0041"),  # a tag
        ("\U000e0100", "U+E0100", r"\U000e0100"),
    ],
)
def test_invisible_and_direction_characters_are_refused_and_shown_escaped(
    character: str, code: str, shown: str
) -> None:
    assert_refused(
        game(file(f"mygame/gnp{character}exe.rpy")),
        member=f"mygame/gnp{shown}exe.rpy",
        problem=f"invisible character ({code})",
        remedy="Rename it",
    )


def test_an_invisible_character_is_refused_wherever_a_name_stands() -> None:
    hidden = "mygame/start\u200b.sh"
    for member in (
        pax({"path": hidden}) + file("mygame/x"),
        gnu_long_name(hidden) + file("mygame/x"),
        directory(f"{hidden}/"),
        symlink("mygame/link", "start\u200b.sh"),
        hard_link("mygame/link", hidden),
    ):
        with pytest.raises(ArchiveRejected, match=r"an invisible character \(U\+200B\)") as caught:
            inspect(game(member))
        assert "\u200b" not in str(caught.value)


def test_every_character_without_a_width_of_its_own_is_refused_by_its_class() -> None:
    """Format characters (Cf) that draw nothing; those that draw a sign of their own are letters of their script."""
    drawn = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13440)}
    formats = {code for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf"}
    assert {code for code in formats - drawn if not INVISIBLE.fullmatch(chr(code))} == set()
    assert not INVISIBLE.search("bühne-日本語-🎭 Ω א ی ไทย नमस्ते ½")


def test_a_name_that_is_not_utf8_is_refused() -> None:
    assert_refused(
        game(file(b"mygame/caf\xe9.png")),
        member=r"mygame/caf\xe9.png",
        problem="not UTF-8",
        remedy="convmv -r -f latin1 -t utf8",
    )


def test_a_segment_may_have_255_bytes_and_no_more() -> None:
    limit, over = "é" * 127 + "a", "é" * 128
    assert inspect(game(gnu_long_name(f"mygame/{limit}"), file("short"))).members == 4
    assert_refused(
        game(gnu_long_name(f"mygame/{over}/x"), file("short")),
        member=f"mygame/{over}/x",
        problem="has a name of 256 bytes in its path; 255 are allowed",
        remedy="Shorten it",
    )


def test_a_path_may_have_1024_bytes_and_no_more() -> None:
    parts = "/".join(["mygame"] + ["p" * 200] * 5)
    limit = parts + "/" + "q" * (1024 - len(parts) - 1)
    assert inspect(game(pax({"path": limit}), file("short"))).members == 4
    shown = limit[:80] + "…" + limit[-79:] + "q"
    assert_refused(
        game(pax({"path": limit + "q"}), file("short")),
        member=shown,
        problem="has a path of 1025 bytes; 1024 are allowed",
        remedy="Shorten it",
    )


def test_a_path_may_be_64_deep_and_no_more() -> None:
    limit = "mygame" + "/d" * 63
    assert inspect(game(gnu_long_name(limit), file("short"))).members == 4
    assert_refused(
        game(gnu_long_name(limit + "/d"), file("short")),
        member=limit + "/d",
        problem="is 65 folders deep; 64 are allowed",
        remedy="Shorten it",
    )


def test_limits_are_settings() -> None:
    assert_refused(
        game(file("mygame/abcdefghi")),
        limits=ArchiveLimits(name_bytes=8),
        member="mygame/abcdefghi",
        problem="9 bytes in its path; 8 are allowed",
        remedy="Shorten it",
    )


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(ArchiveRejected, match="empty name"):
        inspect(game(file("")))


def test_a_leading_dot_slash_is_accepted() -> None:
    members = [
        directory("./"),
        directory("./mygame/"),
        file("./mygame/start.sh", b"#!/bin/sh\n", mode=0o755),
        file("./mygame/game/script.rpy"),
    ]
    inspection = inspect(gz(b"".join(members) + END))
    assert (inspection.top_directory, inspection.members) == ("mygame", 4)


def test_the_place_of_unpacking_can_only_be_a_directory() -> None:
    assert_refused(gz(symlink(".", "mygame") + GAME + END), member=".", problem="is not a directory", remedy="tar czf")


def test_untidy_slashes_name_the_same_member() -> None:
    assert_refused(
        game(file("mygame//game/./a.rpy"), file("mygame/game/a.rpy")),
        member="mygame/game/a.rpy",
        problem="mygame/game/a.rpy is stored twice",
        remedy="tar -r",
    )


def test_a_ustar_prefix_is_part_of_the_name() -> None:
    member = header(b"evil", prefix=b"mygame/..")
    assert_refused(game(member), member="mygame/../evil", problem='has ".."', remedy=FROM_ABOVE)


def test_the_prefix_area_of_a_gnu_header_is_not_a_name() -> None:
    member = header(b"mygame/a", prefix=b"14501234567", magic=b"ustar  \0")
    assert inspect(game(member)).members == 4
