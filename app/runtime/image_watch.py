"""Looks for images whose sizes are due: their worker was killed, their job was lost, or storage failed a while ago."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.data.database import free_connection
from app.data.extensions import db
from app.data.outages import outage_in
from app.images.variant_jobs import abandoned_derivations, derive, due_derivations

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger(__name__)
WATCH_SECONDS = 3.0


class ImageWatch:
    """A thread of every process with workers. `queue_is_empty` says whether no image waits for a worker: otherwise the
    jobs of a long queue would be enqueued again and again."""

    def __init__(self, app: Flask, queue_is_empty: Callable[[], bool], enqueue: Callable[[str], None]) -> None:
        self._app = app
        self._queue_is_empty = queue_is_empty
        self._enqueue = enqueue
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, name="image-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the current image."""
        self._ended.set()

    def wait(self, seconds: float) -> None:
        """Wait up to this long for the thread, which was told to end."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._ended.wait(WATCH_SECONDS):
            try:
                with self._app.app_context():
                    self._look()
            except Exception as error:  # of any kind: the thread goes on
                if outage_in(error) is None:
                    log.exception("images whose sizes are due were not queued; trying again in %s s", WATCH_SECONDS)

    def _look(self) -> None:
        abandoned = abandoned_derivations(db.session())
        free_connection()
        for blob_id in abandoned:  # here, and not behind a long queue: it had its turn
            if self._ended.is_set():
                return
            derive(blob_id)
        due = due_derivations(db.session())
        free_connection()
        if due and self._queue_is_empty():
            for blob_id in due:
                self._enqueue(blob_id)
