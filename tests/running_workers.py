"""The background workers of a test's app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from app.runtime.jobs import jobs


@contextmanager
def running_workers(app: Flask) -> Iterator[None]:
    """Workers that do what is asked of them, as in a web process; at the end they have ended."""
    jobs(app).start_workers()
    try:
        yield
    finally:
        jobs(app).stop_workers()
        jobs(app).wait(20)
