"""The folder on this machine's disk into which a build is unpacked while its pack is made."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.config.settings import Settings
from app.data.models.game import Build
from app.packing.pack_claims import NoRoom
from slipway.client.sizes import format_limit, format_size
from slipway.packs.format.pack_format import HASH_BYTES, RULES

_PREFIX = "slipway-pack-"
_FILE_OVERHEAD = 4096  # bytes of the disk that a file takes beside its content, at most
_MIN_CHUNK_BYTES = min(RULES.min_bytes, RULES.run_min_bytes)  # but for the last chunk of each file
_AGAIN = "It is tried again every 10 minutes. The operator finds the figures in the log."
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def work_folder(settings: Settings, build: Build) -> Iterator[Path]:
    """An empty folder with room for the unpacked build, removed at the end. Raises NoRoom, also when the disk fills up
    meanwhile, and OSError."""
    remove_abandoned(settings)
    parent = _parent(settings)
    with _locked(parent):
        _check_room(parent, settings, build)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        descriptor = _lock(folder)
    try:
        yield folder
    except OSError as error:
        if error.errno in _OUT_OF_SPACE:
            raise _full(parent, build) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def remove_abandoned(settings: Settings) -> None:
    """Remove the folders that killed processes left."""
    parent = _parent(settings)
    with _locked(parent):  # a folder that is being made has no lock for a moment
        for folder in parent.glob(f"{_PREFIX}*"):
            try:
                descriptor = _lock(folder, wait=False)
            except OSError:  # in use, or removed a moment ago
                continue
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)


def _parent(settings: Settings) -> Path:
    parent = settings.pack_dir or settings.instance / "packs"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return parent


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = _lock(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path, *, wait: bool = True) -> int:
    """The descriptor that holds the lock. The kernel frees it however the process ends."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _full(parent: Path, build: Build) -> NoRoom:
    return NoRoom(
        f"The portal's disk filled up while the pack of build {build.number} was made. {_AGAIN}",
        f"the disk of {parent} filled up meanwhile; {shutil.disk_usage(parent).free:,} bytes are free now",
    )


def check_free(settings: Settings, build: Build) -> None:
    """For a pack that grows beyond the size of its archive: storage often has it on the same disk. Raises NoRoom."""
    parent = _parent(settings)
    free = shutil.disk_usage(parent).free
    if free < settings.pack_free_bytes:
        raise NoRoom(
            f"The pack of build {build.number} is larger than its archive, and the portal's disk was full while it was "
            f"made. {_AGAIN}",
            f"{free:,} bytes are free on the disk of {parent}, and {settings.pack_free_bytes:,} stay free "
            "(PACK_FREE_BYTES)",
        )


def _check_room(parent: Path, settings: Settings, build: Build) -> None:
    needed = build.unpacked_bytes + build.members * _FILE_OVERHEAD
    # The hashes of its chunks are in a file beside it.
    needed += HASH_BYTES * (build.members + build.unpacked_bytes // _MIN_CHUNK_BYTES)
    budget = settings.pack_disk_bytes
    if budget is not None and needed > budget:
        raise NoRoom(
            f"Build {build.number} takes {format_size(needed)} unpacked, and the portal allows {format_limit(budget)}. "
            "Ask the operator for more (PACK_DISK_BYTES).",
            f"it takes {needed:,} bytes unpacked, and PACK_DISK_BYTES allows {budget:,}",
        )
    free = shutil.disk_usage(parent).free
    # Storage often has its objects on the same disk, and the pack takes about as much as the archive.
    wanted = needed + build.size + settings.pack_free_bytes
    if free < wanted:
        raise NoRoom(
            f"The portal's disk has no room to make the pack of build {build.number}, which takes "
            f"{format_size(needed + build.size)}. {_AGAIN}",
            f"the disk of {parent} has {free:,} bytes free, and {wanted:,} are needed: {needed:,} unpacked, "
            f"{build.size:,} for the pack, and {settings.pack_free_bytes:,} that stay free (PACK_FREE_BYTES)",
        )
