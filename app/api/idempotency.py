"""`Idempotency-Key` on POST: a repeated request gets the first one's answer for 24 hours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta

from flask import Response, request
from sqlalchemy.exc import IntegrityError

from app.database import writing
from app.models import AnsweredRequest, ApiKey, now
from app.refusals import Conflict, InvalidRequest

# A process that died at work leaves its row unanswered; after this long the request may be tried again.
ABANDONED = timedelta(minutes=2)


def answer_once(key: ApiKey, body: bytes, work: Callable[[], Response]) -> Response:
    """Run `work`, or repeat the stored answer. Raises Conflict (`request_in_progress`) while the first is at work,
    and InvalidRequest when the key was used for another request. Refusals are not stored: the next try may succeed."""
    token = request.headers.get("Idempotency-Key")
    if token is None or request.method != "POST":
        return work()
    if not re.fullmatch(r"[\x20-\x7e]{1,255}", token):
        raise InvalidRequest("Idempotency-Key must have 1 to 255 printable ASCII characters, such as a UUID.")
    key_id = key.id
    fingerprint = hashlib.sha256(b"\n".join([request.method.encode(), request.full_path.encode(), body])).hexdigest()
    stored = _claim(key_id, token, fingerprint)
    if stored is not None:
        return stored
    try:
        response = work()
    except BaseException:
        _forget(key_id, token)
        raise
    with writing() as session:
        row = session.get(AnsweredRequest, (key_id, token))
        if row is not None:
            row.status, row.body = response.status_code, response.get_data(as_text=True)
    return response


def _claim(key_id: str, token: str, fingerprint: str) -> Response | None:
    try:
        with writing() as session:
            row = session.get(AnsweredRequest, (key_id, token))
            if row is not None and row.status is None and now() - row.created_at > ABANDONED:
                session.delete(row)
                session.flush()
                row = None
            if row is None:
                session.add(AnsweredRequest(key_id=key_id, idempotency_key=token, fingerprint=fingerprint))
                return None
            return _repeat(row, fingerprint)
    except IntegrityError:  # two at once on Postgres: the other one was first
        raise _in_progress() from None


def _repeat(row: AnsweredRequest, fingerprint: str) -> Response:
    if row.fingerprint != fingerprint:
        raise InvalidRequest("This Idempotency-Key was used for another request. Use a new one for each request.")
    if row.status is None:
        raise _in_progress()
    response = Response(row.body, status=row.status, mimetype="application/json")
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _in_progress() -> Conflict:
    return Conflict(
        "A request with this Idempotency-Key is still at work. Ask again in a moment.", "request_in_progress"
    )


def _forget(key_id: str, token: str) -> None:
    with writing() as session:
        row = session.get(AnsweredRequest, (key_id, token))
        if row is not None:
            session.delete(row)
