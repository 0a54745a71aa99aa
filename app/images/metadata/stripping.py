"""Makes the public copy of an uploaded file."""

from __future__ import annotations

import hashlib
import mmap
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.images.intake.verification import FetchedFile, write_temporary
from app.images.metadata.containers import CONTAINERS


@contextmanager
def without_metadata(path: Path, mime_type: str, orientation: int) -> Iterator[FetchedFile | None]:
    """The image in `path` as a temporary file with only the picture, its colour profile and its orientation (1 to 8).
    None if `path` is such a file already. The same input gives the same output.

    Raises DamagedContainer, and Unavailable if the disk is full.
    """
    with path.open("rb") as uploaded, mmap.mmap(uploaded.fileno(), 0, access=mmap.ACCESS_READ) as source:
        pieces = CONTAINERS[mime_type].strip(source, orientation)
        if pieces.is_whole():
            yield None
            return
        with tempfile.NamedTemporaryFile(prefix="slipway-asset-") as file:
            sha256 = hashlib.sha256()
            for piece in pieces.read():
                sha256.update(piece)
                write_temporary(file.file, piece)
            file.flush()
            file.seek(0)
            yield FetchedFile(file.file, Path(file.name), pieces.length, sha256.hexdigest())
