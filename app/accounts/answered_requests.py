"""Which requests of a key were answered, and how: kept for 24 hours, for requests that are sent again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import IntegrityError

from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AnsweredRequest
from app.data.models.base import now
from app.refusals import Conflict, InvalidRequest

# A process that died at work leaves its row unanswered; after this long the request may be tried again.
ABANDONED = timedelta(minutes=2)


@dataclass(frozen=True)
class StoredAnswer:
    """`headers` are (name, value). `made_anew`: the body is not the answer, but what is needed to make it."""

    status: int
    body: str
    headers: list[tuple[str, str]]
    made_anew: bool


def is_answered(key_id: str, token: str) -> bool:
    """Whether a request of this key with this token has its answer."""
    if "\x00" in token:  # Postgres cannot even be asked for it
        return False
    row = db.session.get(AnsweredRequest, (key_id, token))
    return row is not None and row.status is not None


def claim_request(key_id: str, token: str, fingerprint: str) -> StoredAnswer | None:
    """The answer that was given, or None for the first request: then it is this caller's to answer, and others are told
    to wait. Raises Conflict (`request_in_progress`), or InvalidRequest for a token of another request."""
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
            return _stored(row, fingerprint)
    except IntegrityError:  # two at once on Postgres: the other one was first
        raise _in_progress() from None


def _stored(row: AnsweredRequest, fingerprint: str) -> StoredAnswer:
    if row.fingerprint != fingerprint:
        raise InvalidRequest("This Idempotency-Key was used for another request. Use a new one for each request.")
    if row.status is None:
        raise _in_progress()
    headers = [(str(name), str(value)) for name, value in row.headers or _FORMERLY]
    return StoredAnswer(row.status, row.body or "", headers, row.made_anew)


# Of answers that were stored before headers were.
_FORMERLY = [["Content-Type", "application/json"]]


def _in_progress() -> Conflict:
    return Conflict(
        "A request with this Idempotency-Key is still at work. Ask again in a moment.", "request_in_progress"
    )


def store_answer(key_id: str, token: str, answer: StoredAnswer) -> None:
    """Store the answer to a request that was claimed."""
    with writing() as session:
        row = session.get(AnsweredRequest, (key_id, token))
        if row is not None:
            row.status, row.body, row.made_anew = answer.status, answer.body, answer.made_anew
            row.headers = [list(header) for header in answer.headers]


def free_request(key_id: str, token: str) -> None:
    """Give up a request that was claimed and not answered: the next try may succeed."""
    with writing() as session:
        row = session.get(AnsweredRequest, (key_id, token))
        if row is not None:
            session.delete(row)
