"""One gzip stream, whole, and nothing but it."""

import bz2
import io
import lzma
import subprocess
import zipfile
import zlib

import pytest

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.gunzip import CHUNK_BYTES, MAX_PADDING_BYTES, WINDOW_BYTES, Gunzip
from slipway.archive.inspection import Inspector
from tests.slipway.archive.inspect_archive import assert_refused, inspect, inspect_pieces
from tests.slipway.archive.tar_writer import END, GAME, file, game, gz


def a_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mygame/start.sh", "#!/bin/sh\n")
    return buffer.getvalue()


TAR = GAME + END
WRONG_FORMATS = [
    (a_zip(), "a zip archive", "unzip game.zip"),
    (bz2.compress(TAR), "bzip2", "bzcat game.tar.bz2 | gzip > game.tar.gz"),
    (lzma.compress(TAR), "xz", "xzcat game.tar.xz | gzip > game.tar.gz"),
    (b"\x28\xb5\x2f\xfd" + bytes(60), "zstd", "zstdcat game.tar.zst | gzip > game.tar.gz"),
    (b"\x04\x22\x4d\x18" + bytes(60), "lz4", "lz4cat game.tar.lz4 | gzip > game.tar.gz"),
    (b"LZIP" + bytes(60), "lzip", "lzip -dc game.tar.lz | gzip > game.tar.gz"),
    (b"\x1f\x9d" + bytes(60), "compress (.Z)", "zcat game.tar.Z | gzip > game.tar.gz"),
    (b"7z\xbc\xaf\x27\x1c" + bytes(60), "a 7z archive", "7z x game.7z"),
    (b"Rar!\x1a\x07\x01\x00" + bytes(60), "a rar archive", "unrar x game.rar"),
    (TAR, "a tar that is not compressed", "gzip game.tar"),
]
NAMES = [name for _, name, _ in WRONG_FORMATS]


@pytest.mark.parametrize(("data", "name", "remedy"), WRONG_FORMATS, ids=NAMES)
def test_a_wrong_format_is_named_with_the_command_that_converts_it(data: bytes, name: str, remedy: str) -> None:
    assert_refused(data, problem=f"The file is {name}, not a tar.gz", remedy=remedy)


@pytest.mark.parametrize(("data", "name", "remedy"), WRONG_FORMATS[:-1], ids=NAMES[:-1])
def test_a_wrong_format_inside_gzip_is_named_too(data: bytes, name: str, remedy: str) -> None:
    whole_block = data + bytes(max(0, 512 - len(data)))
    assert_refused(gz(whole_block), problem=f"The gzip stream contains {name}, not a tar", remedy=remedy)


def test_gzip_inside_gzip_is_named() -> None:
    twice = gz(game(file("mygame/a", bytes(range(256)) * 40)))
    assert_refused(twice, problem="The gzip stream contains gzip, not a tar", remedy="gunzip game.tar.gz.gz")


def test_a_wrong_format_is_refused_before_the_file_has_ended() -> None:
    inspector = Inspector(ArchiveLimits(), None)
    with pytest.raises(ArchiveRejected, match="The file is xz"):
        inspector.feed(b"\xfd7zXZ\0" + bytes(506))


@pytest.mark.parametrize("data", [b"hello, world", b"\x1f", bytes(600)])
def test_what_has_no_known_format_is_refused_by_its_first_bytes(data: bytes) -> None:
    assert_refused(data, problem=f"not a tar.gz: it begins with {data[:4].hex(' ')}", remedy="tar czf game.tar.gz")


def test_an_empty_file_is_refused() -> None:
    assert_refused(b"", problem="The file is empty", remedy="tar czf game.tar.gz mygame")


@pytest.mark.parametrize("text", [b"hello", b"h" * 4000])
def test_gzip_that_holds_no_tar_is_refused(text: bytes) -> None:
    assert_refused(gz(text), problem="The gzip stream does not contain a tar", remedy="tar czf game.tar.gz mygame")


def test_gzip_that_holds_nothing_is_refused() -> None:
    assert_refused(gz(b""), problem="no end-of-archive marker", remedy="may have been stopped")


@pytest.mark.parametrize("second", [gz(b""), game(), b"\x1f", b"\x1f\x8b"], ids=["empty", "game", "half", "magic"])
def test_a_second_gzip_member_is_refused(second: bytes) -> None:
    first = game()
    assert_refused(
        first + second,
        problem=f"more than one gzip member: the second begins at byte {len(first)}",
        remedy="gunzip -c game.tar.gz | gzip > one.tar.gz",
    )


def test_a_tar_that_is_spread_over_gzip_members_is_refused() -> None:
    tar = GAME + END
    assert_refused(gz(tar[:1000]) + gz(tar[1000:]), problem="more than one gzip member", remedy="gunzip -c")


@pytest.mark.parametrize("zeros", [1, 511, MAX_PADDING_BYTES])
def test_zeros_after_the_gzip_stream_are_padding(zeros: int) -> None:
    """As bsdtar writes to a pipe: whole records of 10 KiB. `gzip -t` and GNU tar accept them too."""
    data = game() + bytes(zeros)
    assert inspect(data) == inspect(game())
    assert inspect_pieces([data[:-1], b"\0"]) == inspect(game())
    for program in ("gzip -t", "tar tzf -"):
        assert subprocess.run(program.split(), input=data, capture_output=True, check=False).returncode == 0


def test_more_zeros_than_a_record_are_refused() -> None:
    data = game()
    for count in (MAX_PADDING_BYTES + 1, 10 * WINDOW_BYTES):
        assert_refused(
            data + bytes(count),
            problem=f"More than 10240 bytes of padding follow the end of the gzip stream at byte {len(data)}",
            remedy=f"head -c {len(data)} game.tar.gz",
        )


@pytest.mark.parametrize("more", [b"x", game(), b"\x1f\x8b"], ids=["a byte", "a game", "magic"])
def test_data_after_the_padding_is_refused(more: bytes) -> None:
    data = game()
    problem = f"Data follows the end of the gzip stream at byte {len(data)}"
    assert_refused(data + bytes(512) + more, problem=problem, remedy="anything appended")
    with pytest.raises(ArchiveRejected, match=problem):
        inspect_pieces([data + bytes(512), more * WINDOW_BYTES])


@pytest.mark.parametrize("more", [b"PK\x03\x04", b"\0x"], ids=["a zip", "a zero and a byte"])
def test_data_after_the_gzip_stream_is_refused(more: bytes) -> None:
    data = game()
    assert_refused(
        data + more, problem=f"Data follows the end of the gzip stream at byte {len(data)}", remedy="anything appended"
    )


@pytest.mark.parametrize("short", [0, 1, 8, 9])
def test_data_after_the_gzip_stream_is_noticed_across_windows(short: int) -> None:
    data = with_file_name(game(), length=WINDOW_BYTES - short)
    assert inspect(data).members == 3
    problem = f"Data follows the end of the gzip stream at byte {len(data)}"
    assert_refused(data + b"x" * (short + 1), problem=problem, remedy="anything appended")


def with_file_name(data: bytes, *, length: int) -> bytes:
    """The same gzip stream, made `length` bytes long by the file name in its header (RFC 1952, FNAME)."""
    name = b"n" * (length - len(data) - 1) + b"\0"
    return data[:3] + b"\x08" + data[4:10] + name + data[10:]


@pytest.mark.parametrize("missing", [1, 4, 8, 9, 50])
def test_a_truncated_gzip_stream_is_refused(missing: int) -> None:
    data = game()[:-missing]
    assert_refused(
        data, problem="The file ends in the middle of its gzip stream", remedy="send the complete file again"
    )


@pytest.mark.parametrize("position", [-1, -5], ids=["length", "CRC"])
def test_a_wrong_gzip_trailer_is_refused(position: int) -> None:
    data = bytearray(game())
    data[position] ^= 1
    assert_refused(bytes(data), problem="The gzip stream is damaged near byte", remedy="gzip -t game.tar.gz")


def test_garbage_after_a_gzip_header_is_refused() -> None:
    assert_refused(
        game()[:10] + b"\xff" * 600, problem="The gzip stream is damaged near byte", remedy="gzip -t game.tar.gz"
    )


@pytest.mark.parametrize("flag", [0x20, 0x40, 0x80, 0xE0])
def test_reserved_gzip_flags_are_refused(flag: int) -> None:
    data = bytearray(game())
    data[3] |= flag
    assert_refused(
        bytes(data), problem=f"The gzip header has reserved flags set (0x{flag:02x})", remedy="tar czf game.tar.gz"
    )
    assert_refused(bytes(data[:4]), problem="reserved flags", remedy="tar czf game.tar.gz")


def test_another_method_than_deflate_is_refused() -> None:
    data = bytearray(game())
    data[2] = 7
    assert_refused(bytes(data), problem="The gzip stream is damaged near byte", remedy="gzip -t game.tar.gz")


@pytest.mark.parametrize("wrong", [0, 1])
def test_the_checksum_of_a_gzip_header_is_verified(wrong: int) -> None:
    data = game()
    head = data[:3] + b"\x02" + data[4:10]
    checksum = (zlib.crc32(head) & 0xFFFF) ^ wrong
    checked = head + checksum.to_bytes(2, "little") + data[10:]
    if wrong:
        assert_refused(checked, problem="The gzip stream is damaged near byte", remedy="gzip -t game.tar.gz")
    else:
        assert inspect(checked).members == 3


def with_byte(position: int, value: int) -> bytes:
    data = bytearray(game())
    data[position] ^= value
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        *(game()[:-missing] for missing in (1, 4, 8, 50)),
        with_byte(-1, 1),
        with_byte(-5, 1),
        with_byte(2, 15),
        game()[:10] + b"\xff" * 600,
        game()[:3] + b"\x02" + game()[4:10] + b"\0\0" + game()[10:],
    ],
)
def test_gzip_t_is_named_only_where_it_fails(data: bytes) -> None:
    with pytest.raises(ArchiveRejected, match="gzip -t"):
        inspect(data)
    assert subprocess.run(["gzip", "-t"], input=data, capture_output=True, check=False).returncode != 0


def test_chunks_are_bounded_and_complete() -> None:
    content = bytes(5 * CHUNK_BYTES + 17)
    chunks: list[bytes] = []
    gunzip = Gunzip(chunks.append)
    gunzip.feed(gz(content))
    gunzip.finish()
    assert max(map(len, chunks)) == CHUNK_BYTES
    assert b"".join(chunks) == content
    assert CHUNK_BYTES <= 2**20


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_output_that_ends_with_a_chunk_is_complete(extra: int) -> None:
    content = bytes(2 * CHUNK_BYTES + extra)
    chunks: list[bytes] = []
    gunzip = Gunzip(chunks.append)
    gunzip.feed(gz(content))
    gunzip.finish()
    assert sum(map(len, chunks)) == len(content)


def test_a_refusal_is_repeated() -> None:
    inspector = Inspector(ArchiveLimits(), None)
    with pytest.raises(ArchiveRejected, match="zip") as first:
        inspector.feed(a_zip() + bytes(512))
    for again in (lambda: inspector.feed(b"more"), inspector.finish):
        with pytest.raises(ArchiveRejected) as caught:
            again()
        assert caught.value is first.value
