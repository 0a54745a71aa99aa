"""Indexes on disk: the uncompressed table, after its SHA-256. It detects damage; trust comes from the plan."""

from __future__ import annotations

import hashlib
from pathlib import Path

from slipway.client.durable import write_bytes

_DIGEST_BYTES = 32


def write_index(path: Path, encoded: bytes) -> None:
    """Atomically write the table `encoded` to `path`. Raises OSError."""
    write_bytes(path, hashlib.sha256(encoded).digest(), encoded)


def read_index(path: Path) -> bytes | None:
    """The table in `path`; None if the file is missing or damaged. Raises OSError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, encoded = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return encoded if hashlib.sha256(encoded).digest() == digest else None
