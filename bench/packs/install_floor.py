"""What installing a pack takes at least: the processor time of each part, measured alone, in milliseconds per MiB of
the pack. Where storage and agents share the processors, the sum bounds how fast agents can be."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import urllib3
import zstandard

from slipway.client.storage_connections import StorageConnections
from slipway.packs.format.index import Index
from slipway.packs.transfer_plan import MAX_RANGE_BYTES, MAX_REQUEST_BYTES

_TIMES = 5
_PIECE = 2**18


def print_floor(url: str, index: Index, folder: Path) -> None:
    """`url` is the address of the pack of `index`; `folder` is on the disk of the caches."""
    pack = urllib3.request("GET", url, retries=False).data
    mib = len(pack) / 2**20
    chunks = index.chunks
    stored = [memoryview(pack)[start:end] for start, end in zip(index.offsets, index.offsets[1:], strict=False)]
    packed = [chunk for chunk, size, length in zip(stored, chunks.stored, chunks.lengths, strict=True) if size < length]
    unpacker = zstandard.ZstdDecompressor()
    contents = [
        unpacker.decompress(chunk) if size < length else bytes(chunk)
        for chunk, size, length in zip(stored, chunks.stored, chunks.lengths, strict=True)
    ]
    parts = {
        "SHA-256 of the content": _own(lambda: [hashlib.sha256(content).digest() for content in contents]),
        "zstd of the compressed chunks": _own(lambda: [unpacker.decompress(chunk) for chunk in packed]),
        "writing one file": _own(lambda: _write(folder / "floor", contents)),
        "receiving": _own(lambda: _read(url, len(pack), MAX_REQUEST_BYTES)),
        "storage, requests of 64 MiB": _storage(lambda: _read(url, len(pack), MAX_REQUEST_BYTES)),
    }
    raw = _storage(lambda: _read(url, len(pack), MAX_RANGE_BYTES))
    print(f"  processor time per MiB of the pack: {sum(parts.values()) / mib:.2f} ms at least")
    for name, seconds in parts.items():
        print(f"    {name}: {seconds / mib:.2f} ms")
    print(f"    (storage, requests of 16 MiB: {raw / mib:.2f} ms)")


def _own(action: Callable[[], object]) -> float:
    """Milliseconds of this process, the median of a few times."""
    taken = []
    for _ in range(_TIMES):
        began = time.process_time()
        action()
        taken.append(1000 * (time.process_time() - began))
    return sorted(taken)[_TIMES // 2]


def _storage(action: Callable[[], object]) -> float:
    """Milliseconds of the storage processes that this bench has started, the mean of a few times."""
    before = _storage_seconds()
    for _ in range(_TIMES):
        action()
    return 1000 * (_storage_seconds() - before) / _TIMES


def _storage_seconds() -> float:
    found = [child for child in psutil.Process().children(recursive=True) if "juicefs" in child.name()]
    return sum(sum(child.cpu_times()[:2]) for child in found)


def _write(path: Path, contents: list[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for content in contents:
        os.write(descriptor, content)
    os.close(descriptor)
    path.unlink()


def _read(url: str, size: int, request_bytes: int) -> None:
    connections, buffer = StorageConnections(), memoryview(bytearray(_PIECE))
    for start in range(0, size, request_bytes):
        with connections.get(url, start, min(start + request_bytes, size) - 1) as response:
            while response.readinto(buffer):
                pass
