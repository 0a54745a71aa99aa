"""Reading an index that nobody vouches for: every count, size and path is checked before it is used.

What is refused here is refused in memory that the index's own size bounds, and its size is bounded by MAX_INDEX_BYTES.
"""

from __future__ import annotations

import sys
from array import array
from itertools import accumulate, pairwise

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.packs.format.entry_rules import EntryRules
from slipway.packs.format.index import Chunks, Entries, Generation, Index, Kind
from slipway.packs.format.index_encoding import HEADER, MAGIC, hashes_in
from slipway.packs.format.number_reader import BadNumber, NumberReader
from slipway.packs.format.pack_format import (
    HASH_BYTES,
    HASH_SHA256,
    MAX_CHUNK_BYTES,
    MAX_GENERATIONS,
    MAX_INDEX_BYTES,
    MAX_REFERENCES,
    VERSION,
    CuttingRules,
)
from slipway.packs.format.refusals import EntriesRefused, IndexRefused


def decode_index(encoded: bytes, limits: ArchiveLimits | None = None) -> Index:
    """The index of `encode_index`. Raises IndexRefused.

    Paths, links and kinds go through the rules of archives; `limits` are theirs too. What breaks them raises
    EntriesRefused.
    """
    return _decode(encoded, limits or ArchiveLimits(), None)[0]


def decode_game_index(encoded: bytes, limits: ArchiveLimits, launcher: str | None) -> tuple[Index, str, str]:
    """The index, the top directory and the launcher of a packaged game; `launcher` as `archive.inspection` takes it.

    Raises as `decode_index`, and EntriesRefused when the files are not those of a game.
    """
    index, rules = _decode(encoded, limits, launcher)
    try:
        return index, *rules.conclude()
    except ArchiveRejected as rejection:
        raise EntriesRefused(str(rejection)) from None


def decode_own_index(encoded: bytes) -> Index:
    """An index of our own making, whose hash was compared with the one on record. Raises IndexRefused.

    It went through the rules for paths when it was made. They take three quarters of the time of `decode_index`, and
    are only needed by programs that write files.
    """
    return _decode(encoded, ArchiveLimits(), None, check_paths=False)[0]


def _decode(
    encoded: bytes, limits: ArchiveLimits, launcher: str | None, *, check_paths: bool = True
) -> tuple[Index, EntryRules]:
    reader = _Sections(encoded)
    rules, generations = reader.generations()
    chunks_wanted = sum(generation.chunks for generation in generations)
    if chunks_wanted != reader.chunk_count:
        raise IndexRefused(f"Its generations have {chunks_wanted} chunks, its table {reader.chunk_count}")
    if reader.entry_count > limits.members:
        raise IndexRefused(f"It has {reader.entry_count} entries, {limits.members} are allowed")
    kinds, paths, targets = reader.entries()
    admitted = EntryRules(limits, launcher)
    if check_paths:
        try:
            admitted.admit_all(kinds, paths, targets)
        except ArchiveRejected as rejection:
            raise EntriesRefused(str(rejection)) from None
    starts, references = _decode_references(reader.references(), kinds, reader.chunk_count)
    chunks = reader.chunks()
    _check_chunks(chunks, rules)
    index = Index(rules, generations, Entries(paths, kinds, targets, starts, references), chunks)
    if index.content_bytes > limits.unpacked_bytes:
        raise IndexRefused(f"Its files take {index.content_bytes} bytes, {limits.unpacked_bytes} are allowed")
    return index, admitted


class _Sections:
    """Cuts the bytes into columns, in their order."""

    def __init__(self, encoded: bytes) -> None:
        if len(encoded) > MAX_INDEX_BYTES:
            raise IndexRefused(f"The index takes {len(encoded)} bytes, {MAX_INDEX_BYTES} are allowed")
        if len(encoded) < HEADER.size or not encoded.startswith(MAGIC):
            raise IndexRefused("This is not the index of a pack")
        self._encoded = encoded
        self._position = HEADER.size
        _, version, hashing, *numbers = HEADER.unpack_from(encoded)
        if (version, hashing) != (VERSION, HASH_SHA256):
            raise IndexRefused(
                f"The index is of format {version} with hash {hashing}; this program reads format {VERSION} "
                f"with hash {HASH_SHA256}: update it"
            )
        self._rules = CuttingRules(*numbers[:8])
        self.entry_count, self.chunk_count, self._generation_count, self._link_count = numbers[8:12]
        self._path_bytes, self._target_bytes, self._reference_bytes = numbers[12:]
        expected = (
            HEADER.size
            + 8 * self._generation_count
            + 3 * self.entry_count
            + 2 * self._link_count
            + self._path_bytes
            + self._target_bytes
            + self._reference_bytes
            + (HASH_BYTES + 8) * self.chunk_count
        )
        if expected != len(encoded):
            raise IndexRefused(f"Its counts need {expected} bytes, it has {len(encoded)}")

    def generations(self) -> tuple[CuttingRules, list[Generation]]:
        if self._generation_count > MAX_GENERATIONS:
            raise IndexRefused(f"It has {self._generation_count} generations, {MAX_GENERATIONS} are allowed")
        numbers = self._column("I", 2 * self._generation_count)
        generations = [Generation(*numbers[i : i + 2]) for i in range(0, len(numbers), 2)]
        builds = [generation.build for generation in generations]
        if any(not generation.chunks for generation in generations) or any(
            newer <= older for newer, older in pairwise(builds)
        ):
            raise IndexRefused("Its generations are not from the newest to the oldest, each with chunks")
        return self._rules, generations

    def entries(self) -> tuple[bytearray, list[bytes], dict[int, bytes]]:
        """Kinds, paths, targets."""
        kinds = bytearray(self._take(self.entry_count))
        if kinds and max(kinds) > max(Kind):
            raise IndexRefused(f"An entry is of kind {max(kinds)}, which format {VERSION} does not have")
        links = [entry for entry, kind in enumerate(kinds) if kind in (Kind.SYMLINK, Kind.HARD_LINK)]
        if len(links) != self._link_count:
            raise IndexRefused(f"It has {len(links)} links and {self._link_count} targets")
        path_lengths = self._column("H", self.entry_count)
        target_lengths = self._column("H", self._link_count)
        paths = self._strings(path_lengths, self._path_bytes)
        targets = self._strings(target_lengths, self._target_bytes)
        return kinds, paths, dict(zip(links, targets, strict=True))

    def references(self) -> NumberReader:
        return NumberReader(self._take(self._reference_bytes))

    def chunks(self) -> Chunks:
        hashes = hashes_in(self._encoded, self.chunk_count)
        self._position += len(hashes)
        return Chunks(hashes, self._column("I", self.chunk_count), self._column("I", self.chunk_count))

    def _take(self, count: int) -> bytes:
        start = self._position
        self._position += count
        return self._encoded[start : self._position]

    def _column(self, typecode: str, count: int) -> array[int]:
        column: array[int] = array(typecode)
        column.frombytes(self._take(count * column.itemsize))
        if sys.byteorder == "big":
            column.byteswap()
        return column

    def _strings(self, lengths: array[int], total: int) -> list[bytes]:
        if sum(lengths) != total:
            raise IndexRefused(f"Its names take {sum(lengths)} bytes and not the {total} of its header")
        text = self._take(total)
        return [text[end - length : end] for length, end in zip(lengths, accumulate(lengths), strict=True)]


def _decode_references(numbers: NumberReader, kinds: bytearray, chunk_count: int) -> tuple[array[int], array[int]]:
    """Every file's chunks; each chunk is used, and no number of runs makes more than MAX_REFERENCES of them."""
    starts, references = array("I", [0]), array("I")
    unused = bytearray(b"\1") * chunk_count
    expected = 0
    try:
        for kind in kinds:
            if kind in (Kind.FILE, Kind.PROGRAM):
                for _ in range(numbers.number()):
                    first = expected + numbers.signed()
                    count = numbers.number()
                    expected = first + count
                    if not (0 <= first < expected <= chunk_count):
                        raise IndexRefused(f"A file has the chunks {first} to {expected - 1} of {chunk_count}")
                    if len(references) + count > MAX_REFERENCES:
                        raise IndexRefused(f"Its files have more than {MAX_REFERENCES} chunks")
                    references.extend(range(first, expected))
                    unused[first:expected] = bytes(count)
            starts.append(len(references))
    except BadNumber:
        raise IndexRefused("Its references end within a number") from None
    if not numbers.at_end:
        raise IndexRefused("Its references do not end with its last file")
    if any(unused):
        raise IndexRefused(f"No file has chunk {unused.index(1)}")
    return starts, references


def _check_chunks(chunks: Chunks, rules: CuttingRules) -> None:
    if not chunks.lengths:
        return
    allowed = min(rules.max_bytes, MAX_CHUNK_BYTES)
    if not min(chunks.lengths) or max(chunks.lengths) > allowed:
        raise IndexRefused(f"A chunk has no bytes, or more than the {allowed} that are allowed")
    for length, stored in zip(chunks.lengths, chunks.stored, strict=True):
        if not 0 < stored <= length:
            raise IndexRefused(f"A chunk of {length} bytes is stored in {stored}")
