"""At most one worker checks an upload: the worker has a claim in its row, kept alive by a heartbeat.

A worker that dies, or is frozen longer than the lease, loses its claim to the next. If it wakes up, it notices at its
next heartbeat, and at the latest when it tries to publish.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta

from flask import Flask
from sqlalchemy import or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.data.database import announce, free_connection, writing
from app.data.extensions import db
from app.data.models.base import new_id, now
from app.data.models.upload import RESUMABLE, Upload
from app.refusals import Refusal
from app.topics.names import game_topic
from app.uploads.resumable.upload_phases import fail, lock_upload

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
HEARTBEAT_SECONDS = 1.0
IDLE_HEARTBEATS = 5  # without progress, every fifth heartbeat is written
MAX_CHECKS = 10


class CheckBroken(Refusal):
    """Checking this upload fails each time."""

    code = "check_failed"


def due_checks() -> Sequence[str]:
    """Uploads that wait for a check, or whose check had no heartbeat for the length of a lease."""
    found = db.session.scalars(
        select(Upload.id)
        .where(
            Upload.kind == RESUMABLE,
            Upload.state == "checking",
            or_(Upload.checker.is_(None), Upload.touched_at < now() - LEASE),
        )
        .order_by(Upload.touched_at)
    ).all()
    free_connection()
    return found


def claim_check(upload_id: str) -> Upload | None:
    """Claim an upload for checking. None if there is nothing to check or another worker has the claim. An upload whose
    check began too often is returned as `failed`."""
    try:
        with writing() as session:
            row = lock_upload(session, upload_id)
            if row is None or row.state != "checking":
                return None
            if row.checker is not None and row.touched_at > now() - LEASE:
                return None
            if row.checks_begun >= MAX_CHECKS:
                message = f"The check failed {MAX_CHECKS} times on the server; its log has the reason."
                fail(session, row, CheckBroken(f"{message} Send the archive again, or tell the operator."))
                return row
            row.checker = new_id("check")
            row.checks_begun += 1
            row.bytes_read = row.files_read = 0
            row.touched_at = now()
        return row
    finally:
        free_connection()  # the claimed row stays readable, and no later transaction expires it


def owns_claim(upload: Upload) -> bool:
    """Whether this worker still has the claim: nobody cancelled the upload or took it over."""
    found = db.session.scalar(select(Upload.id).where(Upload.id == upload.id, Upload.checker == upload.checker))
    free_connection()
    return found is not None


def free_claim(upload: Upload) -> None:
    """End a check without a result, because storage does not answer or the process stops."""
    with writing() as session:
        session.execute(
            update(Upload)
            .where(Upload.id == upload.id, Upload.checker == upload.checker)
            .values(checker=None, checks_begun=Upload.checks_begun - 1, touched_at=now())
        )
    free_connection()


class Heartbeat:
    """Keeps a claim alive and reports the check's progress, at most once a second, from its own thread, so that a slow
    storage does not make the worker look dead. Set `bytes_read` and `files_read`. `lost` is set when the upload was
    cancelled or taken over."""

    def __init__(self, app: Flask, upload: Upload) -> None:
        self.bytes_read = 0
        self.files_read = 0
        self.lost = threading.Event()
        self._app = app
        self._upload = upload
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="check-heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        reported, idle = (0, 0), 0
        while not self._ended.wait(HEARTBEAT_SECONDS):
            present = (self.bytes_read, self.files_read)
            idle = 0 if present != reported else idle + 1
            if idle % IDLE_HEARTBEATS:
                continue
            try:
                with self._app.app_context():
                    alive = self._beat(*present, announced=present != reported)
            except SQLAlchemyError:
                log.warning("the heartbeat of upload %s was not written; trying again", self._upload.id)
                continue
            reported = present
            if not alive:
                self.lost.set()
                return

    def _beat(self, bytes_read: int, files_read: int, *, announced: bool) -> bool:
        with writing() as session:
            beaten = session.scalar(
                update(Upload)
                .where(Upload.id == self._upload.id, Upload.checker == self._upload.checker)
                .values(touched_at=now(), bytes_read=bytes_read, files_read=files_read)
                .returning(Upload.id)
            )
            if beaten and announced:
                announce(game_topic(self._upload.game_id))
        free_connection()
        return beaten is not None
