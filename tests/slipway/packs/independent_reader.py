"""A reader of packs that shares nothing with the library: written from docs/pack-format.md, to check that page."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import NamedTuple

import zstandard


class Table(NamedTuple):
    """`entries` are (kind, path, target, chunk numbers); `chunks` are (hash, length, stored length, offset)."""

    generations: list[tuple[int, int]]
    entries: list[tuple[int, str, str, list[int]]]
    chunks: list[tuple[bytes, int, int, int]]


def unpack(frame: bytes, prefix: bytes = b"") -> bytes:
    raw = zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if prefix else None
    return zstandard.ZstdDecompressor(dict_data=raw).decompress(frame)


def numbers(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value
            value = shift = 0


def signed(number: int) -> int:
    return -(number + 1) // 2 if number % 2 else number // 2


def runs(found: Iterator[int], end: int = 0) -> tuple[list[int], int]:
    """The chunk numbers of so many runs as the next number says, and where the last one ended."""
    chunks: list[int] = []
    for _ in range(next(found)):
        start = end + signed(next(found))
        end = start + next(found)
        chunks += range(start, end)
    return chunks, end


def read_table(table: bytes) -> Table:
    magic, version, hashing = struct.unpack_from("<8sHH", table)
    assert (magic, version, hashing) == (b"SlipwIdx", 1, 1)
    e, c, g, links, p, t, r = struct.unpack_from("<4I3Q", table, 44)
    at = 84

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        return table[at - size : at]

    generations = list(struct.iter_unpack("<II", take(8 * g)))
    kinds = take(e)
    path_lengths, target_lengths = (struct.unpack(f"<{n}H", take(2 * n)) for n in (e, links))
    paths, targets, found = take(p), take(t), numbers(take(r))
    hashes = take(32 * c)
    lengths, stored = (struct.unpack(f"<{c}I", take(4 * c)) for _ in range(2))
    assert at == len(table)

    entries, waiting, end = [], iter(target_lengths), 0
    for kind, length in zip(kinds, path_lengths, strict=True):
        path, paths = paths[:length].decode(), paths[length:]
        own: list[int] = []
        target = ""
        if kind in (3, 4):
            size = next(waiting)
            target, targets = targets[:size].decode(), targets[size:]
        if kind in (1, 2):
            own, end = runs(found, end)
        entries.append((kind, path, target, own))
    chunks = [(hashes[32 * i : 32 * i + 32], lengths[i], stored[i], sum(stored[:i])) for i in range(c)]
    return Table(generations, entries, chunks)


def read_chunk(table: Table, pack: bytes, number: int) -> bytes:
    digest, length, stored, offset = table.chunks[number]
    content = pack[offset : offset + stored]
    if stored < length:
        content = unpack(content)
    assert (len(content), hashlib.sha256(content).digest()) == (length, digest)
    return content


def patched_chunks(patch: bytes, old: Table, old_pack: bytes, new: Table) -> dict[int, bytes]:
    """The chunks that a patch makes, by number."""
    magic, version, _, _, _, count, size = struct.unpack_from("<8sHH32s32sII", patch)
    assert (magic, version) == (b"SlipwPat", 1)
    found, at, made = numbers(patch[84 : 84 + size]), 84 + size, {}
    for _ in range(count):
        chunks, base = runs(found)[0], runs(found)[0]
        length = next(found)
        content = unpack(patch[at : at + length], b"".join(read_chunk(old, old_pack, number) for number in base))
        at += length
        for number in chunks:
            digest, length = new.chunks[number][:2]
            made[number], content = content[:length], content[length:]
            assert hashlib.sha256(made[number]).digest() == digest
        assert not content
    assert at == len(patch)
    return made


def read_update(update: bytes, base: bytes) -> tuple[bytes, bytes]:
    """The new table and the joined chunks of an update file; `base` is the base's table."""
    magic, version, reserved, base_hash, table_hash, size, frame = struct.unpack_from("<8sHH32s32sQQ", update)
    assert (magic, version, reserved, base_hash) == (b"SlipwUpd", 1, 0, hashlib.sha256(base).digest())
    table = unpack(update[-frame:], base)
    assert (len(table), hashlib.sha256(table).digest()) == (size, table_hash)
    return table, update[92:-frame]


def updated_contents(new: Table, sent: bytes, base: Table, base_pack: bytes) -> dict[str, bytes]:
    """The files of an update: the chunks that the base lacks are first, and were sent."""
    known = {digest: number for number, (digest, *_) in enumerate(base.chunks)}
    fresh = sum(digest not in known for digest, *_ in new.chunks)
    assert all(digest not in known for digest, *_ in new.chunks[:fresh])
    assert sum(stored for _, _, stored, _ in new.chunks[:fresh]) == len(sent)

    def content(number: int) -> bytes:
        if number < fresh:
            return read_chunk(new, sent, number)
        return read_chunk(base, base_pack, known[new.chunks[number][0]])

    return {path: b"".join(map(content, chunks)) for kind, path, _, chunks in new.entries if kind in (1, 2)}
