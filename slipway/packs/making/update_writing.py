"""Writing an update file: the chunks of a directory that a base build lacks, and the new build's table."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import BinaryIO

from slipway.packs.chunk_lookup import ChunkLookup
from slipway.packs.format.index import Index
from slipway.packs.format.index_encoding import encode_index
from slipway.packs.format.index_transfer import compress_index, reference_to
from slipway.packs.format.update_file import HEADER, BaseTable, UpdateHeader, encode_header
from slipway.packs.making.pack_writing import order_chunks, reordered, write_chunks


def write_update(cut: Index, root: Path, base: BaseTable, sink: BinaryIO) -> int:
    """Write the update file of `cut`, an index of files below `root`, to the seekable `sink`; returns its size.

    Raises TreeUnsuitable when a file changed since it was cut, and OSError.
    """
    older = base.index
    build = older.generations[0].build + 1 if older.generations else 1
    order, generations = order_chunks(cut, build, older, ())
    known = ChunkLookup(older)
    kept = array("I", (number for chunk in order if (number := known.find(cut.hash(chunk))) is not None))
    new = order[: len(order) - len(kept)]
    sink.seek(HEADER.size)
    stored = write_chunks(cut, root, new, sink)
    table = encode_index(
        reordered(cut, order, generations, stored + array("I", (older.chunks.stored[number] for number in kept)))
    )
    frame = compress_index(table, base.encoded)
    sink.write(frame)
    sink.seek(0)
    sink.write(encode_header(UpdateHeader(reference_to(base.encoded).sha256, reference_to(table), len(frame))))
    return HEADER.size + sum(stored) + len(frame)
