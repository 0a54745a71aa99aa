"""At most one worker checks an upload: the worker has a claim in its row."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask
from sqlalchemy import select

from app.data.claims import LEASE, ClaimColumns, ClaimHeartbeat, ClaimLost
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.base import new_id, now
from app.data.models.upload import RESUMABLE, Upload
from app.process import shutdown
from app.refusals import Refusal, Unavailable
from app.topics.names import game_topic
from app.uploads.resumable.upload_phases import fail, lock_upload

MAX_CHECKS = 10
CLAIMS = ClaimColumns(Upload.id, Upload.checker, Upload.checks_begun, Upload.touched_at)


class CheckBroken(Refusal):
    """Checking this upload fails each time."""

    code = "check_failed"


class CheckStopped(Unavailable):
    """The process is stopping."""


def due_checks() -> Sequence[str]:
    """Uploads that wait for a check, or whose check had no heartbeat for the length of a lease."""
    found = db.session.scalars(
        select(Upload.id)
        .where(Upload.kind == RESUMABLE, Upload.state == "checking", CLAIMS.is_free())
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
    return CLAIMS.owns(upload.id, upload.checker)


def free_claim(upload: Upload) -> None:
    """End a check without a result, because storage does not answer or the process stops."""
    CLAIMS.free(upload.id, upload.checker)


class Heartbeat(ClaimHeartbeat):
    """Keeps the claim on an upload alive. Set `bytes_read` and `files_read`."""

    def __init__(self, app: Flask, upload: Upload) -> None:
        self.bytes_read = 0
        self.files_read = 0
        super().__init__(app, CLAIMS, upload.id, upload.checker, self._read, [game_topic(upload.required_game_id)])

    def _read(self) -> dict[str, int]:
        return {"bytes_read": self.bytes_read, "files_read": self.files_read}

    def require_claim(self) -> None:
        """Raises ClaimLost if the upload was cancelled or taken over, CheckStopped if the process stops."""
        if self.lost.is_set():
            raise ClaimLost
        if shutdown.stopping.is_set():
            raise CheckStopped("The process is stopping; another one will continue.")
