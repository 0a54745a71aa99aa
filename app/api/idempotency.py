"""`Idempotency-Key` on POST: for 24 hours, a repeated request gets the response of the first one.

The response is stored with its headers. A response with presigned addresses is not stored, because anybody can use
them. Only the data to build it again is stored, so a replay has fresh addresses and the database has none."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping

from flask import Response, request

from app.accounts import answered_requests
from app.accounts.answered_requests import StoredAnswer
from app.refusals import InvalidRequest

# Computed for each response, so a replay has its own.
_NOT_STORED = {"content-length"}


def idempotency_key() -> str | None:
    """The Idempotency-Key of the current request, or None. Raises InvalidRequest when it is malformed."""
    token = request.headers.get("Idempotency-Key") if request.method == "POST" else None
    if token is not None and not re.fullmatch(r"[\x20-\x7e]{1,255}", token):
        raise InvalidRequest("Idempotency-Key must have 1 to 255 printable ASCII characters, such as a UUID.")
    return token


def is_replay(key_id: str) -> bool:
    """Whether a response for the current request is already stored."""
    token = request.headers.get("Idempotency-Key") if request.method == "POST" else None
    return token is not None and answered_requests.is_answered(key_id, token)


def run_once(
    key_id: str,
    token: str,
    body: bytes,
    run: Callable[[], tuple[Response, Mapping[str, str] | None]],
    replay: Callable[[Mapping[str, str]], Response],
) -> Response:
    """Run a request, or replay the response of an earlier one. `run` returns the response, and if that must not be
    stored, the data from which `replay` builds it again.

    Raises Conflict (`request_in_progress`) while the first request runs, and InvalidRequest when the token was used for
    another request. Refusals are not stored, because a retry may succeed."""
    fingerprint = hashlib.sha256(b"\n".join([request.method.encode(), request.full_path.encode(), body])).hexdigest()
    stored = answered_requests.claim_request(key_id, token, fingerprint)
    if stored is not None:
        response = replay(json.loads(stored.body)) if stored.made_anew else _restored(stored)
        response.headers["Idempotent-Replayed"] = "true"
        return response
    try:
        response, replay_data = run()
    except BaseException:
        answered_requests.free_request(key_id, token)
        raise
    headers = [(name, value) for name, value in response.headers if name.lower() not in _NOT_STORED]
    text = response.get_data(as_text=True) if replay_data is None else json.dumps(dict(replay_data))
    stored = StoredAnswer(response.status_code, text, headers, replay_data is not None)
    answered_requests.store_answer(key_id, token, stored)
    return response


def _restored(stored: StoredAnswer) -> Response:
    response = Response(stored.body, status=stored.status)
    response.headers.clear()
    response.headers.extend(stored.headers)
    return response
