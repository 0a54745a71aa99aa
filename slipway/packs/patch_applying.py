"""Making chunks from a patch and the older build's chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from slipway.packs.chunk_content import ChunkContent
from slipway.packs.chunk_fetching import Arrived
from slipway.packs.format.index import Index
from slipway.packs.format.patch_format import PatchRecord
from slipway.packs.format.zstd_frames import BadFrame, decompress


def apply_record(
    record: PatchRecord,
    encoded: bytes,
    index: Index,
    old_content: ChunkContent,
    is_wanted: Callable[[int], bool],
    arrived: Arrived,
) -> None:
    """Hand each wanted chunk of the record to `arrived`. None of them arrives when the older build is damaged there, or
    the patch is: then they are fetched from the pack."""
    if not any(map(is_wanted, record.made)):
        return
    base = bytearray()
    for chunk in record.base:
        view = old_content.read(chunk)
        if view is None:
            return
        base += view
    size = sum(map(index.length, record.made))
    frame = memoryview(encoded)[record.start : record.start + record.length]
    try:
        made = memoryview(decompress(frame, size, bytes(base)))
    except BadFrame:
        return
    start = 0
    for chunk in record.made:
        content = made[start : start + index.length(chunk)]
        start += len(content)
        if is_wanted(chunk) and hashlib.sha256(content).digest() == index.hash(chunk):
            arrived(chunk, content)
