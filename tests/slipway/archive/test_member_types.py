"""What kinds of members an archive may hold."""

import pytest

from tests.slipway.archive.inspect_archive import assert_refused, inspect
from tests.slipway.archive.tar_writer import field, file, game, header, padded, pax

KEPT = "Only files, directories and links are accepted"


@pytest.mark.parametrize(
    ("typeflag", "what"),
    [
        (b"3", "is a character device"),
        (b"4", "is a block device"),
        (b"6", "is a FIFO"),
        (b"V", "is a volume label"),
        (b"M", "is part of a multi-volume archive"),
        (b"D", "is part of an incremental backup"),
        (b"Z", "is of an unknown type (Z)"),
    ],
)
def test_devices_pipes_and_unknown_types_are_refused(typeflag: bytes, what: str) -> None:
    assert_refused(game(header(b"mygame/odd", typeflag=typeflag)), member="mygame/odd", problem=what, remedy=KEPT)


@pytest.mark.parametrize(
    "records",
    [
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "mygame/holes"},
        {"GNU.sparse.name": "mygame/holes"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "1", "GNU.sparse.realsize": "1", "path": "mygame/holes"},
        {"SUN.holesdata": " 0 1", "path": "mygame/holes"},
        {"GNU.sparse.size": "4096", "path": "mygame/holes"},
        {"SCHILY.realsize": "4096", "path": "mygame/holes"},
    ],
)
def test_a_sparse_member_of_another_form_is_refused_by_its_real_name(records: dict[str, str | bytes]) -> None:
    assert_refused(
        game(pax(records), file("mygame/GNUSparseFile.1/holes")),
        member="mygame/holes",
        problem="stored as a sparse file",
        remedy="without --sparse",
    )


@pytest.mark.parametrize(("mode", "shown"), [(0o4755, "4755"), (0o2755, "2755"), (0o6755, "6755")])
@pytest.mark.parametrize("typeflag", [b"0", b"5"])
def test_setuid_and_setgid_bits_are_refused(mode: int, shown: str, typeflag: bytes) -> None:
    assert_refused(
        game(header(b"mygame/power", mode=mode, typeflag=typeflag)),
        member="mygame/power",
        problem=f"setuid or setgid bit set (mode {shown})",
        remedy="chmod -R u-s,g-s",
    )


def test_the_sticky_bit_and_file_type_bits_are_fine() -> None:
    assert inspect(game(header(b"mygame/a", mode=0o101644))).members == 4


@pytest.mark.parametrize("typeflag", [b"1", b"2", b"5"])
def test_links_and_directories_that_hold_data_are_refused(typeflag: bytes) -> None:
    member = header(b"mygame/odd", typeflag=typeflag, link=b"mygame/start.sh", size=3) + padded(b"abc")
    assert_refused(game(member), member="mygame/odd", problem="that contains data", remedy="tar czf")


def test_a_v7_directory_is_a_name_with_a_slash_at_its_end() -> None:
    v7 = header(b"mygame/lib/", typeflag=b"\0", magic=b"")
    assert inspect(game(v7, file("mygame/lib/a"))).members == 5
    assert_refused(
        game(header(b"mygame/lib/", typeflag=b"\0", magic=b"", size=3) + padded(b"abc")),
        member="mygame/lib/",
        problem="is a directory that contains data",
        remedy="tar czf",
    )


@pytest.mark.parametrize(("name", "typeflag"), [(b"mygame/a/.", b"0"), (b"mygame/a/", b"1"), (b"mygame/a/", b"2")])
def test_only_a_directory_has_the_name_of_one(name: bytes, typeflag: bytes) -> None:
    assert_refused(
        game(header(name, typeflag=typeflag, link=b"mygame/start.sh")),
        member=name.decode(),
        problem="is a file or link with the name of a directory",
        remedy="tar czf game.tar.gz mygame",
    )


@pytest.mark.parametrize("typeflag", [b"\0", b"7"])
def test_old_and_contiguous_files_are_files(typeflag: bytes) -> None:
    assert inspect(game(header(b"mygame/a", typeflag=typeflag, size=3) + padded(b"abc"))).unpacked_bytes == 10 + 3


def test_a_base_256_size_is_read() -> None:
    size = b"\x80" + (3).to_bytes(11, "big")
    assert inspect(game(header(b"mygame/a", size=size) + padded(b"abc"))).unpacked_bytes == 10 + 3


@pytest.mark.parametrize("size", [b"\xff" * 12, b"12x4", b"1_0", b"+12", b"\x90" + bytes(11)])
def test_a_size_that_is_no_number_is_refused(size: bytes) -> None:
    assert_refused(
        game(header(b"mygame/a", size=size)),
        problem="The tar header after mygame/game/ is damaged: its size or mode is not a number",
        remedy="tar czf",
    )


def test_a_mode_that_is_no_number_is_refused() -> None:
    assert_refused(
        game(header(b"mygame/a", mode=b"rwxr-x")), problem="its size or mode is not a number", remedy="tar czf"
    )


def test_numbers_may_be_padded_with_spaces_or_be_empty() -> None:
    spaced = header(b"mygame/a", size=b"         3 \0", mode=b"  644 \0") + padded(b"abc")
    empty = header(b"mygame/b", size=b"", mode=field(0o644, 8))
    assert inspect(game(spaced, empty)).unpacked_bytes == 10 + 3
