"""Checks the bytes that arrived, in a temporary file that nobody else can change: exactly the checked bytes are
stored."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.images.image_limits import IMAGE_TYPES, MAX_IMAGE_BYTES
from app.images.image_processes import DecoderDied, Facts, ImageRefused, Interrupted, inspection_processes
from app.images.object_keys import checksum_of
from app.refusals import InvalidRequest, Unavailable
from app.storage.objects import open_object


class WrongBytes(InvalidRequest):
    """The upload is not what was announced, or not an accepted image. The text gives the reason."""


@dataclass(frozen=True)
class FetchedFile:
    """An object in a temporary file. `sha256` is lowercase hex."""

    file: IO[bytes]
    path: Path
    size: int
    sha256: str

    def md5(self) -> bytes:
        """The digest alone, for storage to compare."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


@contextmanager
def fetched(key: str, max_bytes: int = MAX_IMAGE_BYTES, announced: int | None = None) -> Iterator[FetchedFile]:
    """An object in a temporary file for the length of the block. Raises ObjectMissing and StorageError. Raises
    WrongBytes, before a byte is fetched, if it is larger than `max_bytes` or does not have the `announced` length."""
    source = open_object(key)
    with tempfile.NamedTemporaryFile(prefix="slipway-asset-") as file:
        sha256, size = hashlib.sha256(), 0
        if source.length > max_bytes:
            source.close()
            raise _too_large(source.length, max_bytes)
        if announced is not None and source.length != announced:
            source.close()
            raise wrong_size(source.length, announced)
        for piece in source.pieces():
            size += len(piece)
            sha256.update(piece)
            write_temporary(file.file, piece)
        file.flush()
        file.seek(0)
        yield FetchedFile(file.file, Path(file.name), size, sha256.hexdigest())


def write_temporary(file: IO[bytes], piece: bytes) -> None:
    """Write to a temporary file. Raises Unavailable if the disk is full."""
    try:
        file.write(piece)
    except OSError as error:
        raise Unavailable(
            f"The disk is too full for the check in {tempfile.gettempdir()} ({error.strerror}). Nothing was changed; "
            "the operator must free space there (TMPDIR).",
            30,
        ) from error


def verify(found: FetchedFile, *, byte_size: int, sha256: str, content_type: str) -> Facts:
    """Compare with what was announced, and decode the whole image. Raises WrongBytes, or Unavailable."""
    if found.size != byte_size:
        raise wrong_size(found.size, byte_size)
    if found.sha256 != sha256:
        raise WrongBytes(
            f"The uploaded file's checksum is {checksum_of(found.sha256)}; {checksum_of(sha256)} was announced."
        )
    try:
        facts = inspection_processes.examine(found.path)
    except (ImageRefused, DecoderDied) as refused:
        raise WrongBytes(f"The uploaded file {refused}.") from None
    except Interrupted:
        raise Unavailable("The app is being stopped. Nothing was changed; try again in a moment.", 10) from None
    if facts.mime_type != content_type:
        raise WrongBytes(
            f"The uploaded file is {IMAGE_TYPES[facts.mime_type]} ({facts.mime_type}); {content_type} was announced."
        )
    return facts


def wrong_size(size: int, announced: int) -> WrongBytes:
    """The refusal for a wrong number of bytes, shared by all checks."""
    return WrongBytes(f"The uploaded file has {size:,} bytes; {announced:,} were announced.")


def _too_large(size: int, max_bytes: int) -> WrongBytes:
    return WrongBytes(f"The uploaded file has {size:,} bytes; an image may have {max_bytes:,}.")
