"""`Idempotency-Key` on POST: a repeated request gets the first one's answer for 24 hours.

What is stored is the answer with its headers. Of an answer that holds addresses which work for anybody, only what is
needed to make it anew is stored: a replay has addresses that work, and the database has none."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping

from flask import Response, request

from app.accounts import answered_requests
from app.accounts.answered_requests import StoredAnswer
from app.refusals import InvalidRequest

# Made anew for each response; a replay has its own.
_NOT_STORED = {"content-length"}


def sent_token() -> str | None:
    """The Idempotency-Key of the present request, if it is a POST with one. Raises InvalidRequest."""
    token = request.headers.get("Idempotency-Key") if request.method == "POST" else None
    if token is not None and not re.fullmatch(r"[\x20-\x7e]{1,255}", token):
        raise InvalidRequest("Idempotency-Key must have 1 to 255 printable ASCII characters, such as a UUID.")
    return token


def is_replay(key_id: str) -> bool:
    """Whether the present request was answered before."""
    token = request.headers.get("Idempotency-Key") if request.method == "POST" else None
    return token is not None and answered_requests.is_answered(key_id, token)


def answer_once(
    key_id: str,
    token: str,
    body: bytes,
    work: Callable[[], tuple[Response, Mapping[str, str] | None]],
    replay: Callable[[Mapping[str, str]], Response],
) -> Response:
    """Run `work`, or repeat its answer. `work` returns the response, and where that must not be stored, what `replay`
    needs to make it anew. Raises Conflict (`request_in_progress`) while the first is at work, and InvalidRequest when
    the token was used for another request. Refusals are not stored: the next try may succeed."""
    fingerprint = hashlib.sha256(b"\n".join([request.method.encode(), request.full_path.encode(), body])).hexdigest()
    stored = answered_requests.claim_request(key_id, token, fingerprint)
    if stored is not None:
        response = replay(json.loads(stored.body)) if stored.made_anew else _restored(stored)
        response.headers["Idempotent-Replayed"] = "true"
        return response
    try:
        response, kept = work()
    except BaseException:
        answered_requests.free_request(key_id, token)
        raise
    headers = [(name, value) for name, value in response.headers if name.lower() not in _NOT_STORED]
    text = response.get_data(as_text=True) if kept is None else json.dumps(dict(kept))
    answered_requests.store_answer(key_id, token, StoredAnswer(response.status_code, text, headers, kept is not None))
    return response


def _restored(stored: StoredAnswer) -> Response:
    response = Response(stored.body, status=stored.status)
    response.headers.clear()
    response.headers.extend(stored.headers)
    return response
