"""The queue port: asking for background work without knowing who does it.

`app/runtime/jobs.py` provides the queue when the app is made. The queue only wakes workers; what is to be done is in
rows, so a job that is lost loses nothing.
"""

from __future__ import annotations

from typing import Literal, Protocol

from flask import Flask, current_app

Job = Literal["check_upload", "derive_image"]


class Queue(Protocol):
    """What the app's queue offers to everything below it."""

    def enqueue(self, job: Job, row_id: str) -> None: ...

    def worker_answers(self) -> bool: ...


def provide(app: Flask, queue: Queue) -> None:
    """Make this the queue of the app. Called once, in create_app()."""
    app.extensions["slipway_queue"] = queue


def enqueue(job: Job, row_id: str) -> None:
    """Ask a worker to do `job` for the row with this id. Never raises: the sweep finds the row of a job that could not
    be queued."""
    _queue().enqueue(job, row_id)


def worker_answers() -> bool:
    """Whether a worker takes a job and answers within some seconds."""
    return _queue().worker_answers()


def _queue() -> Queue:
    found: Queue = current_app.extensions["slipway_queue"]
    return found
