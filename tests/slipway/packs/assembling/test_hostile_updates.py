"""Update files that no client of ours would write are refused, with a reason, before anything is allocated for them."""

from __future__ import annotations

import hashlib
import tempfile
import tracemalloc
from functools import cache
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from slipway.archive.archive_limits import ArchiveLimits
from slipway.packs.format.index_transfer import compress_index, reference_to
from slipway.packs.format.pack_format import MAX_INDEX_BYTES
from slipway.packs.format.refusals import ChunksDamaged, EntriesRefused, IndexRefused, PackRefused, UpdateRefused
from slipway.packs.format.update_file import HEADER, UpdateHeader, decode_header, encode_header
from tests.slipway.packs.assembling.updates import LIMITS, assembled, game, update_file
from tests.slipway.packs.builds import Build, BytesSource, make_build
from tests.slipway.packs.hostile import DIRECTORY, FILE, HARD_LINK, PROGRAM, SYMLINK, RawIndex
from tests.slipway.packs.trees import Tree, noise

SCRIPT = b"#!/bin/sh\nexec true\n"
GAME = (
    (DIRECTORY, b"mygame", b""),
    (DIRECTORY, b"mygame/game", b""),
    (PROGRAM, b"mygame/start.sh", b""),
)
# A table with one chunk, which the update file brings.
TABLE = RawIndex(
    entries=GAME,
    references=b"\x01\x00\x01",
    chunks=((hashlib.sha256(SCRIPT).digest(), len(SCRIPT), len(SCRIPT)),),
)


@cache
def base() -> Build:
    with tempfile.TemporaryDirectory() as folder:
        return make_build(Path(folder), game(Tree({"game/old.bin": (noise(300_000), False)})))


@cache
def good_file() -> bytes:
    """An update with two new chunks."""
    with tempfile.TemporaryDirectory() as folder:
        files = {"game/old.bin": (noise(300_000), False), "game/new.bin": (noise(90_000, 7), False)}
        return update_file(game(Tree(files)).write(Path(folder) / "new"), base())


def forged(encoded: bytes, chunks: bytes = SCRIPT, **header: object) -> bytes:
    """An update file with this table, whatever it is."""
    frame = compress_index(encoded, base().written.encoded)
    values = {"base_sha256": base().written.reference.sha256, "table": reference_to(encoded), "frame_bytes": len(frame)}
    return encode_header(UpdateHeader(**(values | header))) + chunks + frame  # type: ignore[arg-type]  # as the class has them


def refusal(file: bytes, kind: type[PackRefused] = UpdateRefused, limits: ArchiveLimits = LIMITS) -> str:
    with pytest.raises(kind) as raised:
        assembled(file, base(), limits=limits)
    return str(raised.value)


def test_the_forged_table_is_good_when_nothing_is_wrong_with_it() -> None:
    assert assembled(forged(TABLE.encoded()), base())


def test_what_is_no_update_file_is_refused() -> None:
    for file in (b"", b"SlipwUpd", b"\x1f\x8b" * 200, b"SlipwIdx" + bytes(200)):
        assert "This is not an update file" in refusal(file)
    newer = good_file()[:8] + b"\x02" + good_file()[9:]
    assert "format 2" in refusal(newer)


def test_another_base_is_refused() -> None:
    assert "another build" in refusal(forged(TABLE.encoded(), base_sha256="00" * 32))


@pytest.mark.parametrize(
    ("size", "frame_bytes"), [(MAX_INDEX_BYTES + 1, 10), (100, MAX_INDEX_BYTES + 1), (2**64 - 1, 2**64 - 1)]
)
def test_announced_sizes_are_bounded(size: int, frame_bytes: int) -> None:
    header = encode_header(UpdateHeader("00" * 32, reference_to(b""), 0))[: HEADER.size - 16]
    encoded = header + size.to_bytes(8, "little") + frame_bytes.to_bytes(8, "little")
    with pytest.raises(UpdateRefused, match="are allowed"):
        decode_header(encoded, 2**63)


def test_a_frame_longer_than_the_file_is_refused() -> None:
    assert "fewer than its header promises" in refusal(forged(TABLE.encoded(), frame_bytes=10_000))


def test_a_bomb_in_place_of_the_table_is_refused_before_it_is_unpacked() -> None:
    bomb = zstandard.ZstdCompressor(level=3).compress(bytes(MAX_INDEX_BYTES))
    header = encode_header(UpdateHeader(base().written.reference.sha256, reference_to(TABLE.encoded()), len(bomb)))
    base()
    tracemalloc.start()
    try:
        assert "cannot be unpacked" in refusal(header + bomb, IndexRefused)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_a_table_that_is_not_the_announced_one_is_refused() -> None:
    other = reference_to(TABLE.but(generations=((2, 1),)).encoded())
    assert "is not the one with SHA-256" in refusal(forged(TABLE.encoded(), table=other), IndexRefused)


def test_a_chunk_that_is_nowhere_is_refused() -> None:
    """Neither among the first chunks, which the file brings, nor in the base."""
    known = base().written.index.hash(0), base().written.index.length(0), base().written.index.chunks.stored[0]
    unknown = (b"\xbb" * 32, 10, 10)
    table = TABLE.but(references=b"\x01\x00\x02", generations=((1, 2),), chunks=(known, unknown)).encoded()
    assert "neither among the update's first chunks nor in its base" in refusal(forged(table, b""))


def test_an_old_chunk_of_another_length_is_refused() -> None:
    table = TABLE.but(chunks=((base().written.index.hash(0), 5, 5),)).encoded()
    assert "not 5" in refusal(forged(table, b""))


def test_the_place_of_an_old_chunk_comes_from_the_base() -> None:
    """What the table says about its stored length changes nothing."""
    index = base().written.index
    table = TABLE.but(chunks=((index.hash(0), index.length(0), 1),)).encoded()
    pack = BytesSource(base().pack)
    assembled(forged(table, b""), base(), pack=pack)
    assert pack.ranges == [(index.offsets[0], index.chunks.stored[0])]


@pytest.mark.parametrize("chunks", [b"", SCRIPT[:-1], SCRIPT + b"x", SCRIPT * 1000])
def test_a_file_that_does_not_fit_its_table_is_refused(chunks: bytes) -> None:
    assert "its table needs" in refusal(forged(TABLE.encoded(), chunks))


def test_a_chunk_with_another_content_is_refused() -> None:
    assert "the update file" in refusal(forged(TABLE.encoded(), SCRIPT[::-1]), ChunksDamaged)


def test_a_chunk_that_unpacks_to_more_is_refused_before_it_is_unpacked() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(64 * 2**20))
    length = len(bomb) + 10
    table = TABLE.but(chunks=((hashlib.sha256(bytes(length)).digest(), length, len(bomb)),)).encoded()
    file = forged(table, bomb)
    base()
    tracemalloc.start()
    try:
        assert "the update file" in refusal(file, ChunksDamaged)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_a_damaged_base_is_noticed() -> None:
    def spoiled(start: int, content: bytes) -> bytes:
        return bytes(len(content))

    with pytest.raises(ChunksDamaged, match="the base build's pack"):
        assembled(good_file(), base(), pack=BytesSource(base().pack, spoiled))


@pytest.mark.parametrize(
    "entries",
    [
        [(FILE, b"mygame/../etc")],
        [(FILE, b"/etc/passwd")],
        [(FILE, b"other")],
        [(SYMLINK, b"mygame/x", b"../../etc")],
        [(SYMLINK, b"mygame/x", b"/etc")],
        [(SYMLINK, b"mygame/x", b"game"), (FILE, b"mygame/x/y")],
        [(HARD_LINK, b"mygame/x", b"mygame/missing")],
        [(HARD_LINK, b"mygame/x", b"/etc/passwd")],
        [(FILE, b"mygame/x\x00y")],
        [(FILE, b"mygame/\xff")],
        [(FILE, b"mygame/x" * 200)],
        [(FILE, b"mygame/start.sh")],
    ],
    ids=str,
)
def test_paths_and_links_are_trusted_no_more_than_an_archives(
    entries: list[tuple[int, bytes, bytes] | tuple[int, bytes]],
) -> None:
    refusal(forged(TABLE.with_entries(*entries).encoded()), EntriesRefused)


def test_files_that_are_no_game_are_refused() -> None:
    table = TABLE.but(entries=(GAME[0], GAME[1], (FILE, b"mygame/start.sh", b"")))
    assert "is not executable" in refusal(forged(table.encoded()), EntriesRefused)


def test_a_chunk_that_is_used_a_million_times_counts_each_time() -> None:
    many = RawIndex(
        entries=(*GAME, (FILE, b"mygame/zeros", b"")),
        references=b"\x01\x00\x01" + b"\x80\x80\x04" + b"\x01\x01" * 2**16,
        chunks=TABLE.chunks,
    )
    assert "are allowed" in refusal(forged(many.encoded()), IndexRefused, ArchiveLimits(unpacked_bytes=2**19))


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_bit_can_be_flipped(data: st.DataObject) -> None:
    file = bytearray(good_file())
    position = data.draw(st.integers(0, len(file) - 1))
    file[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(PackRefused):
        assembled(bytes(file), base())


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_no_byte_can_be_missing(end: int) -> None:
    with pytest.raises(PackRefused):
        assembled(good_file()[: end % len(good_file())], base())
