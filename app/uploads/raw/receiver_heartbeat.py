"""The heartbeat of the process that receives a raw upload."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, current_app
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from app.data.database import writing
from app.data.models.base import now
from app.data.models.upload import Upload
from app.data.outages import outage_in

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0


@contextmanager
def heartbeat(upload_id: str) -> Iterator[None]:
    """Touch the upload's row every 15 s during the block. A client that sends a byte now and then fills no piece for
    many minutes, and the sweep must not treat its upload as dead."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # Werkzeug's proxies hide it
    ended = threading.Event()
    thread = threading.Thread(target=_touch_until, args=(app, upload_id, ended), name="upload-alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()


def _touch_until(app: Flask, upload_id: str, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT_SECONDS):
        try:
            with app.app_context(), writing() as session:
                session.execute(update(Upload).where(Upload.id == upload_id).values(touched_at=now()))
        except SQLAlchemyError as error:
            if outage_in(error) is None:
                log.warning(
                    "the heartbeat of upload %s was not written; trying again in %s s", upload_id, HEARTBEAT_SECONDS
                )
