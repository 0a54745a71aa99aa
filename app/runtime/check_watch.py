"""Looks every few seconds for uploads whose check nobody works on any more, because its worker was killed.

The sweep looks too, but only once a minute: together with the lease, a check could then wait for a minute and a half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.runtime.due_work_watch import DueWorkWatch
from app.uploads.resumable.check_claims import due_checks

if TYPE_CHECKING:
    from flask import Flask


class CheckWatch(DueWorkWatch):
    """`queue_is_empty`: whether no check is queued, so that none is queued twice; `enqueue`: queues the check of one
    upload."""

    name = "check-watch"
    due = "due checks"
    seconds = 10.0

    def __init__(self, app: Flask, queue_is_empty: Callable[[], bool], enqueue: Callable[[str], None]) -> None:
        super().__init__(app)
        self._queue_is_empty = queue_is_empty
        self._enqueue = enqueue

    def _look(self) -> None:
        if self._queue_is_empty():
            for upload_id in due_checks():
                self._enqueue(upload_id)
