"""Looks every few seconds for uploads whose check nobody works on any more, because its worker was killed.

The sweep looks too, but only once a minute: together with the lease, a check could then wait for a minute and a half.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.data.outages import outage_in
from app.uploads.resumable.check_claims import due_checks

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger(__name__)
LOOK_SECONDS = 10.0


class CheckWatch:
    """A thread of a process that has workers. `is_idle`: whether no check is queued, so that none is queued twice;
    `enqueue`: queues the check of one upload."""

    def __init__(self, app: Flask, is_idle: Callable[[], bool], enqueue: Callable[[str], None]) -> None:
        self._app = app
        self._is_idle, self._enqueue = is_idle, enqueue
        self._stopped = threading.Event()

    def start(self) -> None:
        self._stopped.clear()
        threading.Thread(target=self._run, name="check-watch", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            with self._app.app_context():
                self.look()

    def look(self) -> None:
        """Queue every check that is due."""
        try:
            if self._is_idle():
                for upload_id in due_checks():
                    self._enqueue(upload_id)
        except Exception as error:  # of any kind, the queue's too: this thread must go on
            if outage_in(error) is None:
                log.exception("due checks cannot be read; trying again in %s s", LOOK_SECONDS)
