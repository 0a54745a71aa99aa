"""Everything that is stored for one build: pack, index, and what brings an older build up to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from slipway.packs.chunk_content import ChunkContent, LocalContent
from slipway.packs.chunk_lookup import ChunkLookup
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.format.index import Index
from slipway.packs.format.index_encoding import encode_index, hashes_in
from slipway.packs.format.index_transfer import IndexReference, compress_index, reference_to
from slipway.packs.format.pack_format import RULES, CuttingRules
from slipway.packs.format.patch_format import encode_patch
from slipway.packs.format.refusals import TransferCancelled
from slipway.packs.format.zstd_frames import Check
from slipway.packs.making.hash_file import HashFile
from slipway.packs.making.pack_writing import write_pack
from slipway.packs.making.patch_making import NewRecord, make_records
from slipway.packs.making.tree_cutting import Cancelled, Progress, cut_tree


@dataclass(frozen=True)
class OlderBuild:
    """An older build: its index, that index uncompressed, and where its chunks can be read."""

    index: Index
    encoded: bytes
    content: ChunkContent


ReadOlder = Callable[[], OlderBuild | None]


@dataclass(frozen=True)
class WrittenBuild:
    """What was written. `index_object` is to be stored, and so are `delta` and `patch`, the way from the older build;
    `patch` is None where it would save nothing."""

    index: Index
    encoded: bytes
    reference: IndexReference
    index_object: bytes
    delta: bytes | None
    patch: bytes | None


def write_build(
    root: Path,
    sink: BinaryIO,
    *,
    build: int,
    older: OlderBuild | None = None,
    read_older: ReadOlder | None = None,
    rules: CuttingRules = RULES,
    work: Path | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> WrittenBuild:
    """Cut the directory `root`, write its pack to `sink` and make the other objects.

    `read_older` is called after cutting, in the place of `older`: its table takes memory only from then on.
    `progress` gets unpacked bytes worked through, twice the directory's in the end. `work` is a folder whose disk has
    room for 32 bytes per chunk; None: the system's for temporary files. Raises as `cut_tree` and `write_pack`.
    """
    check = _check(cancelled)
    with HashFile(work) as hashes:
        cut = cut_tree(root, rules=rules, hashes=hashes, progress=progress, cancelled=cancelled)
        content_bytes = cut.content_bytes
        older = read_older() if read_older else older
        records = _records(cut, root, older, check) if older else []
        index = write_pack(
            cut,
            root,
            sink,
            build=build,
            older=older.index if older else None,
            last=[chunk for record in records for chunk in record.made],
            progress=(lambda done: progress(content_bytes + done)) if progress else None,
            cancelled=cancelled,
        )
        encoded = encode_index(index)
        chunks = replace(index.chunks, hashes=hashes_in(encoded, index.chunk_count))
        index = Index(index.rules, index.generations, index.entries, chunks)
        patch = _patch(records, cut, index, encoded, older) if older and records else None
    del cut, records  # zstd needs the memory now
    delta = compress_index(encoded, older.encoded, check) if older else None
    return WrittenBuild(index, encoded, reference_to(encoded), compress_index(encoded, check=check), delta, patch)


def _records(cut: Index, root: Path, older: OlderBuild, check: Check | None) -> list[NewRecord]:
    with LocalContent(root, cut, ChunkPlaces(cut)) as content:
        return make_records(cut, content, older.index, older.content, check, search_kept=True)


def _check(cancelled: Cancelled | None) -> Check | None:
    def check() -> None:
        if cancelled and cancelled():
            raise TransferCancelled("making the build's objects was cancelled")

    return check if cancelled else None


def make_patch(root: Path, index: Index, encoded: bytes, older: OlderBuild) -> bytes | None:
    """The patch from another build to that of `index`, which lies in `root`; None where it would save nothing."""
    with LocalContent(root, index, ChunkPlaces(index)) as content:
        return make_patch_from_chunks(content, index, encoded, older)


def make_patch_from_chunks(
    content: ChunkContent, index: Index, encoded: bytes, older: OlderBuild, check: Check | None = None
) -> bytes | None:
    """As `make_patch`, for a build whose chunks can be read elsewhere: from its pack. `check` as in `make_records`."""
    records = make_records(index, content, older.index, older.content, check)
    return _patch(records, index, index, encoded, older) if records else None


def _patch(records: list[NewRecord], cut: Index, index: Index, encoded: bytes, older: OlderBuild) -> bytes | None:
    lookup = ChunkLookup(index)
    final: list[tuple[list[int], list[int], bytes]] = []
    for record in records:
        numbers = [lookup.find(cut.hash(chunk)) for chunk in record.made]
        final.append(([number for number in numbers if number is not None], record.base, record.frame))
    patch = encode_patch(final, reference_to(older.encoded).sha256, reference_to(encoded).sha256)
    spared = sum(index.chunks.stored[chunk] for made, _, _ in final for chunk in made)
    return patch if len(patch) < spared else None
