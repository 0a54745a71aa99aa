"""The queue port: lower modules enqueue background work without importing the workers.

`app/runtime/jobs.py` provides the queue when the app is made. The queue only wakes workers. The work itself is in rows,
so a lost job loses nothing.
"""

from __future__ import annotations

from typing import Literal, Protocol

from flask import Flask, current_app

Job = Literal["check_upload", "derive_image", "make_packs"]


class Queue(Protocol):
    """The interface of the app's queue."""

    def enqueue(self, job: Job, row_id: str) -> None: ...

    def worker_answers(self) -> bool: ...

    def waiting_jobs(self) -> dict[str, int] | None: ...


def provide(app: Flask, queue: Queue) -> None:
    """Set the app's queue. Called once, in create_app()."""
    app.extensions["slipway_queue"] = queue


def enqueue(job: Job, row_id: str) -> None:
    """Enqueue `job` for the row with this id. Never raises: the sweep finds the row of a job that could not be
    queued."""
    _queue().enqueue(job, row_id)


def worker_answers() -> bool:
    """Whether a worker accepts a job and answers within some seconds."""
    return _queue().worker_answers()


def waiting_jobs() -> dict[str, int] | None:
    """How many jobs wait for a worker, by the queue's name. None if the queue does not answer within a second."""
    return _queue().waiting_jobs()


def _queue() -> Queue:
    found: Queue = current_app.extensions["slipway_queue"]
    return found
