"""A heartbeat: a thread that writes to a row again and again, so that other processes see that its worker is alive."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask, current_app
from sqlalchemy import Update
from sqlalchemy.exc import SQLAlchemyError

from app.data.database import writing
from app.data.outages import outage_in

log = logging.getLogger(__name__)


@contextmanager
def heartbeat(seconds: float, label: str, beat: Callable[[], Update]) -> Iterator[None]:
    """Execute the statement that `beat` returns every `seconds` during the block, and never after it. `label` is the
    row in the log."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # Werkzeug's proxies hide it
    ended = threading.Event()
    thread = threading.Thread(
        target=_beat_until, args=(app, ended, seconds, label, beat), name="heartbeat", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat_until(app: Flask, ended: threading.Event, seconds: float, label: str, beat: Callable[[], Update]) -> None:
    while not ended.wait(seconds):
        try:
            with app.app_context(), writing() as session:
                session.execute(beat())
        except SQLAlchemyError as error:
            if outage_in(error) is None:
                log.warning("the heartbeat of %s was not written; trying again in %s s", label, seconds)
