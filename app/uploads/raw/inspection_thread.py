"""Inspects an archive in its own thread while its bytes are hashed and stored."""

from __future__ import annotations

import queue
import threading

from app.refusals import InvalidArchive
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.inspection import Inspection, Inspector

_MAX_QUEUED = 4  # pieces of 1 MiB that may wait for the inspector


class InspectionThread:
    """Feeds an inspector. gunzip releases the interpreter, so this runs beside the hash on another core."""

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector
        self._queue: queue.Queue[bytes | None] = queue.Queue(_MAX_QUEUED)
        self._error: BaseException | None = None
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="inspection", daemon=True)
        self._thread.start()

    def feed(self, piece: bytes) -> None:
        """Raises InvalidArchive as soon as the archive breaks a rule."""
        self._raise_error()
        self._queue.put(piece)

    def finish(self) -> Inspection:
        """Wait for the result."""
        self.finish_early()
        try:
            return self._inspector.finish()
        except ArchiveRejected as rejected:
            raise InvalidArchive(str(rejected)) from rejected

    def finish_early(self) -> None:
        """Wait until all received bytes are inspected. Raises InvalidArchive if they break a rule."""
        self._queue.put(None)
        self._thread.join()
        self._raise_error()

    def close(self) -> None:
        """Stop early and drop the queue."""
        self._stop = True
        while self._thread.is_alive():
            try:
                self._queue.put(None, timeout=0.1)
                self._thread.join(timeout=1)
            except queue.Full:
                continue  # the thread is draining the queue

    def _run(self) -> None:
        while (piece := self._queue.get()) is not None:
            if self._stop or self._error is not None:
                continue  # keep emptying the queue, so that feed() never waits for room in it
            try:
                self._inspector.feed(piece)
            except BaseException as error:
                self._error = error

    def _raise_error(self) -> None:
        if isinstance(self._error, ArchiveRejected):
            raise InvalidArchive(str(self._error)) from self._error
        if self._error is not None:
            raise self._error
