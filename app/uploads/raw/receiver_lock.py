"""Finds the uploads of dead processes at start, instead of after ten minutes without a heartbeat.

Every process that receives archives holds a shared lock on a file of the instance folder for as long as it lives. The
kernel frees the lock however the process ends. A process that gets the exclusive lock therefore knows that no other
process is receiving.
"""

from __future__ import annotations

import fcntl
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import CursorResult, update

from app.data.database import writing
from app.data.models.pack import BuildPack
from app.data.models.upload import RAW, Upload

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_locks: dict[Path, int] = {}  # never closed: the process holds the lock until it ends
_lock = threading.Lock()


def lock_as_receiver(instance: Path) -> None:
    """Hold the shared lock from now on."""
    with _lock:
        if instance not in _locks:
            descriptor = _open(instance)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            _locks[instance] = descriptor


def expire_abandoned_uploads(instance: Path) -> int:
    """For one-process installations, before the first request: make every raw upload due for the sweep, and every check
    and every making of a pack due for the next worker, unless another process still receives (a worker that drains
    while this one replaces it). Returns the number of raw uploads."""
    with _lock:
        if instance in _locks:
            return 0
        descriptor = _open(instance)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            marked = 0
        else:
            marked = _mark()
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        _locks[instance] = descriptor
        return marked


def _open(instance: Path) -> int:
    return os.open(instance / "receiving.lock", os.O_RDWR | os.O_CREAT, 0o600)


def _mark() -> int:
    with writing() as session:
        session.execute(update(Upload).where(Upload.checker.is_not(None)).values(touched_at=_LONG_AGO))
        session.execute(update(BuildPack).where(BuildPack.maker.is_not(None)).values(touched_at=_LONG_AGO))
        dead = update(Upload).where(Upload.kind == RAW).values(touched_at=_LONG_AGO)
        marked = session.execute(dead)
        assert isinstance(marked, CursorResult)
        return marked.rowcount
