"""Answers to requests with an Idempotency-Key, kept for 24 hours and given again when the request is repeated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import IntegrityError

from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AnsweredRequest
from app.data.models.base import now
from app.refusals import Conflict, InvalidRequest

# A process that dies leaves its row unanswered. After this time the request may be tried again.
ABANDONED_AFTER = timedelta(minutes=2)


@dataclass(frozen=True)
class StoredAnswer:
    """`headers` are (name, value). `made_anew`: the body is not the answer but the input for making it."""

    status: int
    body: str
    headers: list[tuple[str, str]]
    made_anew: bool


def is_answered(key_id: str, token: str) -> bool:
    """Whether a request of this key with this token has an answer."""
    if "\x00" in token:  # Postgres refuses NUL in a query
        return False
    row = db.session.get(AnsweredRequest, (key_id, token))
    return row is not None and row.status is not None


def claim_request(key_id: str, token: str, fingerprint: str) -> StoredAnswer | None:
    """The stored answer, or None for the first request. Then the caller must answer it; others are refused meanwhile.
    Raises Conflict (`request_in_progress`), or InvalidRequest if the token belongs to another request."""
    try:
        with writing() as session:
            row = session.get(AnsweredRequest, (key_id, token))
            if row is not None and row.status is None and now() - row.created_at > ABANDONED_AFTER:
                session.delete(row)
                session.flush()
                row = None
            if row is None:
                session.add(AnsweredRequest(key_id=key_id, idempotency_key=token, fingerprint=fingerprint))
                return None
            return _stored(row, fingerprint)
    except IntegrityError:  # two at once on Postgres: the other was first
        raise _in_progress() from None


def _stored(row: AnsweredRequest, fingerprint: str) -> StoredAnswer:
    if row.fingerprint != fingerprint:
        raise InvalidRequest("This Idempotency-Key was used for another request. Use a new one for each request.")
    if row.status is None:
        raise _in_progress()
    headers = [(str(name), str(value)) for name, value in row.headers or _DEFAULT_HEADERS]
    return StoredAnswer(row.status, row.body or "", headers, row.made_anew)


# For answers that were stored before headers were.
_DEFAULT_HEADERS = [["Content-Type", "application/json"]]


def _in_progress() -> Conflict:
    return Conflict(
        "A request with this Idempotency-Key is still being processed. Ask again in a moment.", "request_in_progress"
    )


def store_answer(key_id: str, token: str, answer: StoredAnswer) -> None:
    """Store the answer to a claimed request."""
    with writing() as session:
        row = session.get(AnsweredRequest, (key_id, token))
        if row is not None:
            row.status, row.body, row.made_anew = answer.status, answer.body, answer.made_anew
            row.headers = [list(header) for header in answer.headers]


def free_request(key_id: str, token: str) -> None:
    """Delete the claim of a request that was not answered, so that it can be tried again."""
    with writing() as session:
        row = session.get(AnsweredRequest, (key_id, token))
        if row is not None:
            session.delete(row)
