"""The background workers of a test's app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from app.runtime.jobs import jobs


@contextmanager
def running_workers(app: Flask) -> Iterator[None]:
    """Start the workers, as a web process does, and stop them at the end of the block."""
    jobs(app).start_workers()
    try:
        yield
    finally:
        jobs(app).stop_workers()
        jobs(app).wait(20)
