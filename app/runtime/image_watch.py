"""Looks for images whose sizes are due: their worker was killed, their job was lost, or storage failed a while ago."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.data.database import free_connection
from app.data.extensions import db
from app.images.variant_jobs import abandoned_derivations, derive, due_derivations
from app.runtime.due_work_watch import DueWorkWatch

if TYPE_CHECKING:
    from flask import Flask

WATCH_SECONDS = 3.0


class ImageWatch(DueWorkWatch):
    """`queue_is_empty` says whether no image waits for a worker: otherwise the jobs of a long queue would be enqueued
    again and again."""

    name = "image-watch"
    due = "images whose sizes are due"
    seconds = WATCH_SECONDS

    def __init__(self, app: Flask, queue_is_empty: Callable[[], bool], enqueue: Callable[[str], None]) -> None:
        super().__init__(app)
        self._queue_is_empty = queue_is_empty
        self._enqueue = enqueue

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
