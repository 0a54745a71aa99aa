"""Tar as a stream: where it ends, how it is damaged, and what extended headers may say."""

import subprocess

import pytest

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.tar.tar_parser import TarParser
from tests.slipway.archive.inspect_archive import assert_refused, inspect
from tests.slipway.archive.tar_writer import (
    END,
    GAME,
    directory,
    extension,
    file,
    game,
    gnu_long_link,
    gnu_long_name,
    gz,
    header,
    pax,
    pax_record,
    symlink,
)

AGAIN = "tar czf game.tar.gz mygame"
EXTENDED = "././@extended"


@pytest.mark.parametrize("end", [b"", bytes(512)], ids=["none", "half a marker"])
def test_a_tar_without_an_end_marker_is_refused(end: bytes) -> None:
    assert_refused(gz(GAME + end), problem="no end-of-archive marker", remedy=AGAIN)


def test_the_zeros_that_fill_the_last_record_are_fine() -> None:
    assert inspect(gz(GAME + END + bytes(20 * 512))).members == 3


@pytest.mark.parametrize("more", [b"x", bytes(511) + b"x", file("mygame/hidden")], ids=["byte", "late byte", "member"])
def test_data_after_the_end_of_the_tar_is_refused(more: bytes) -> None:
    assert_refused(
        gz(GAME + END + more),
        problem="Data follows the end of the tar after mygame/game/",
        remedy="Do not join archives",
    )


def test_a_lone_block_of_zeros_is_no_end() -> None:
    assert_refused(
        gz(GAME + bytes(512) + file("mygame/hidden") + END),
        problem="Data follows the end of the tar after mygame/game/",
        remedy="Do not join archives",
    )


def test_a_tar_that_ends_inside_a_member_is_refused() -> None:
    cut = GAME + file("mygame/big.rpa", bytes(2000))[:1000]
    assert_refused(gz(cut), member="mygame/big.rpa", problem="The tar ends inside mygame/big.rpa", remedy=AGAIN)


def test_a_tar_that_ends_inside_a_header_is_refused() -> None:
    cut = GAME + file("mygame/a")[:100]
    assert_refused(gz(cut), member="mygame/game/", problem="ends in a header after mygame/game/", remedy=AGAIN)


@pytest.mark.parametrize("end", [b"", END], ids=["cut off", "ended"])
def test_a_tar_that_ends_after_an_extended_header_is_refused(end: bytes) -> None:
    assert_refused(
        gz(GAME + gnu_long_name("mygame/a") + end),
        problem="The tar ends",
        remedy=AGAIN,
        member=None if end else EXTENDED,
    )


CUT = {
    "no end": b"",
    "half an end": bytes(512),
    "inside a member": file("mygame/big.rpa", bytes(2000))[:1000],
    "in a header": file("mygame/a")[:100],
    "after an extended header": gnu_long_name("mygame/a"),
    "between an extended header and its member": gnu_long_name("mygame/a") + END,
    "inside an extended header": gnu_long_name("mygame/a")[:600],
}


@pytest.mark.parametrize("cut", CUT)
def test_tar_tzf_is_named_only_where_it_fails(cut: str) -> None:
    data = gz(GAME + CUT[cut])
    fails = subprocess.run(["tar", "tzf", "-"], input=data, capture_output=True, check=False).returncode != 0
    with pytest.raises(ArchiveRejected) as caught:
        inspect(data)
    assert "tzf" not in caught.value.remedy or fails
    assert ("tzf" in caught.value.remedy) == (cut == "inside a member")


def test_a_wrong_checksum_is_refused() -> None:
    damaged = header(b"mygame/a", checksum=b"000001\0 ")
    assert_refused(
        game(damaged),
        problem="The tar header after mygame/game/ is damaged: its checksum does not match",
        remedy="tar czf game.tar.gz mygame",
    )


def test_a_historic_signed_checksum_is_accepted() -> None:
    name = "mygame/é".encode()
    unsigned = int(header(name)[148:154], 8)
    signed = unsigned - 256 * sum(byte > 127 for byte in name)
    assert inspect(game(header(name, checksum=b"%06o\0 " % signed))).members == 4


def test_a_pax_path_replaces_that_of_the_header() -> None:
    member = pax({"path": "mygame/real", "size": "3", "mtime": "1.5", "comment": "none"}) + header(b"mygame/a", size=3)
    inspection = inspect(game(member + b"abc" + bytes(509), file("mygame/a")))
    assert (inspection.members, inspection.unpacked_bytes) == (5, 13)
    assert_refused(
        game(pax({"path": "/etc/passwd"}), file("mygame/a")),
        member="/etc/passwd",
        problem="is an absolute path",
        remedy="relative name",
    )


OVER = 8**11  # 8 GiB: the first size that eleven octal digits cannot hold
ROOM = ArchiveLimits(unpacked_bytes=2**40)


@pytest.mark.parametrize(
    "field",
    [0, OVER - 1, 5, b"\x80" + (OVER + 5).to_bytes(11, "big")],
    ids=["zero", "largest", "truncated", "base-256"],
)
def test_a_pax_size_that_the_header_cannot_hold_is_accepted(field: int | bytes) -> None:
    """As GNU tar, bsdtar, Python and Go write files of 8 GiB and more."""
    sizes: list[int] = []
    reader = TarParser(lambda member: sizes.append(member.size))
    reader.feed(pax({"size": str(OVER + 5)}) + header(b"mygame/huge", size=field))
    assert sizes == [OVER + 5]


@pytest.mark.parametrize(
    ("said", "field", "shown"),
    [
        (3, 0, 0),
        (0, 512, 512),
        (512, 3, 3),
        (OVER - 1, 0, 0),
        (OVER + 5, 3, 3),
        (5, b"\x80" + (OVER + 5).to_bytes(11, "big"), OVER + 5),
        (OVER + 5, b"\x80" + (OVER + 6).to_bytes(11, "big"), OVER + 6),
    ],
)
@pytest.mark.parametrize("typeflag", [b"x", b"g", b"X"])
def test_a_pax_size_that_contradicts_the_header_is_refused(
    said: int, field: int | bytes, shown: int, typeflag: bytes
) -> None:
    member = pax({"path": "mygame/two-sizes", "size": str(said)}, typeflag=typeflag) + header(b"mygame/a", size=field)
    assert_refused(
        game(member, bytes(1024)),
        limits=ROOM,
        member="mygame/two-sizes",
        problem=f"mygame/two-sizes has {said} bytes in its extended header and {shown} bytes in its own header",
        remedy="tar czf game.tar.gz mygame",
    )


@pytest.mark.parametrize("key", ["path", "linkpath", "size"])
def test_a_key_with_two_values_is_refused(key: str) -> None:
    twice = extension(b"x", pax_record(key, "0") + pax_record(key, "00"))
    assert_refused(
        game(twice, file("mygame/x")),
        member=EXTENDED,
        problem=f"The extended header {EXTENDED} gives {key} twice",
        remedy="tar czf game.tar.gz mygame",
    )
    same = extension(b"x", pax_record("path", "mygame/a") * 2)
    assert inspect(game(same, file("x"))).members == 4


def test_a_global_pax_header_counts_for_members_until_one_overrides_it() -> None:
    comment = pax({"comment": "0123456789abcdef"}, typeflag=b"g")  # as git archive writes it
    assert inspect(game(comment, file("mygame/a"))).members == 4
    everywhere = pax({"path": "mygame/shared"}, typeflag=b"g")
    assert inspect(game(everywhere, file("x"))).members == 4
    assert inspect(game(everywhere, pax({"path": "mygame/own"}), file("x"), file("y"))).members == 5
    assert inspect(game(everywhere, pax({"path": ""}), file("mygame/own"), file("y"))).members == 5
    assert_refused(
        game(everywhere, file("x"), file("y")), member="mygame/shared", problem="is stored twice", remedy="tar -r"
    )


def test_a_global_sparse_header_is_refused() -> None:
    assert_refused(
        game(pax({"GNU.sparse.major": "1"}, typeflag=b"g"), file("mygame/a")),
        member="mygame/a",
        problem="sparse",
        remedy="--sparse",
    )


def test_solaris_extended_headers_are_read_as_pax() -> None:
    assert_refused(
        game(pax({"path": "/etc/passwd"}, typeflag=b"X"), file("mygame/a")),
        member="/etc/passwd",
        problem="absolute",
        remedy="relative name",
    )


@pytest.mark.parametrize(
    "content",
    [
        b"no records",
        b"5 a=b\n",
        b"99 path=a\n",
        b"6 a=bc",
        b"7 path\n",
        b"5 =b\n",
        b"0 a=b\n",
        b"-6 a=b\n",
        b"1_0 path=x\n",
        b"12 path\0=ab\n",  # a reader written in C takes the key for `path`
        b"11  path=a\n",  # GNU tar steps over the second blank
        b"11 \tpath=a\n",
        b"8 \0=abc\n",
    ],
)
def test_a_damaged_pax_header_is_refused(content: bytes) -> None:
    assert_refused(
        game(extension(b"x", content), file("mygame/a")),
        member=EXTENDED,
        problem=f"The extended header {EXTENDED} is damaged at its byte",
        remedy="tar czf game.tar.gz mygame",
    )


@pytest.mark.parametrize("size", ["-1", "0x10", "1e3", " 3", "9" * 21])
def test_a_pax_size_that_is_no_number_is_refused(size: str) -> None:
    assert_refused(
        game(pax({"size": size}), file("mygame/a")),
        member="mygame/a",
        problem="The size of mygame/a is not a number",
        remedy="tar czf game.tar.gz mygame",
    )


@pytest.mark.parametrize(
    ("typeflag", "allowed"), [(b"x", 2**20), (b"g", 2**20), (b"X", 2**20), (b"L", 2**16), (b"K", 2**16)]
)
def test_extended_headers_are_bounded(typeflag: bytes, allowed: int) -> None:
    assert_refused(
        game(header(b"././@extended", typeflag=typeflag, size=allowed + 1)),
        member=EXTENDED,
        problem=f"has {allowed + 1} bytes; {allowed} are allowed",
        remedy="--no-xattrs",
    )


def test_large_extended_attributes_are_stepped_over() -> None:
    attributes = pax({"SCHILY.xattr.user.note": "n" * 600_000, "path": "mygame/named"})
    assert inspect(game(attributes, file("x"))).members == 4


@pytest.mark.parametrize(
    "both",
    [
        gnu_long_name("mygame/a") + gnu_long_name("mygame/b"),
        pax({"path": "mygame/a"}) + pax({"path": "mygame/b"}),
        gnu_long_name("mygame/a") + pax({"path": "mygame/b"}),
        pax({"path": "mygame/a"}) + gnu_long_name("mygame/b"),
        pax({"path": "mygame/a"}) + pax({"path": "mygame/b"}, typeflag=b"g"),
        gnu_long_name("mygame/a") + gnu_long_link("b") + gnu_long_name("mygame/c"),
    ],
)
def test_a_member_that_is_described_twice_is_refused(both: bytes) -> None:
    assert_refused(
        game(both, file("mygame/x")), member=EXTENDED, problem="describes a member a second time", remedy="tar czf"
    )


def test_a_long_name_and_a_long_link_belong_together() -> None:
    name, target = "mygame/" + "n" * 150, "t" * 150
    for pair in (gnu_long_name(name) + gnu_long_link(target), gnu_long_link(target) + gnu_long_name(name)):
        assert inspect(game(pair, symlink("cut", "cut"), file("mygame/own"))).members == 5


@pytest.mark.parametrize("content", [b"", bytes(3)])
def test_an_empty_gnu_long_name_is_refused(content: bytes) -> None:
    assert_refused(
        game(extension(b"L", content), file("mygame/a")), member=EXTENDED, problem="is damaged", remedy="tar czf"
    )


def test_an_extended_header_counts_for_one_member_only() -> None:
    assert inspect(game(gnu_long_name("mygame/a"), file("x"), file("mygame/b"), directory("mygame/c/"))).members == 6
