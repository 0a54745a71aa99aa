"""Encoded answers of lists, kept in memory by their ETag, so that an unchanged list is encoded once.

An ETag contains the version of what the answer shows, and versions only rise: a kept answer is never wrong, it only
stops being asked for.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

from flask import Flask, Response, current_app, request

from app.api import conditions
from app.api.json_shapes import Shape, encode

MAX_BYTES = 32 * 1024**2
_SHARE = 8  # one answer uses at most an eighth, so that it does not push out all others
_EXTENSION = "slipway_kept_answers"


class KeptAnswers:
    """The answers of one app in one process; those not used for longest go first. Thread-safe."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    def get(self, etag: str) -> bytes | None:
        with self._lock:
            answer = self._answers.get(etag)
            if answer is not None:
                self._answers.move_to_end(etag)
            return answer

    def keep(self, etag: str, answer: bytes) -> None:
        if len(answer) > self._max_bytes // _SHARE:
            return
        with self._lock:
            self.bytes += len(answer) - len(self._answers.pop(etag, b""))
            self._answers[etag] = answer
            while self.bytes > self._max_bytes:
                self.bytes -= len(self._answers.popitem(last=False)[1])


def init_app(app: Flask) -> None:
    """Give the app an empty memory."""
    app.extensions[_EXTENSION] = KeptAnswers()


def kept_answers() -> KeptAnswers:
    """The running app's memory."""
    found: KeptAnswers = current_app.extensions[_EXTENSION]
    return found


def list_answer(partner_id: str, version: int, make: Callable[[], Shape]) -> Response:
    """The answer of a list that shows a partner's facts as of `version`, from memory if it was encoded before. 304 for
    a client that has it. Only the path and the query of the request choose what the answer shows.

    A change with If-Match needs only the ETag of the list at its path, so its answer is empty. Raises
    PreconditionFailed for a GET whose If-Match does not match."""
    asked = request.path.encode() + b"?" + request.query_string
    etag = f"{partner_id}-{version}-{hashlib.sha256(asked).hexdigest()[:16]}"
    headers = {"ETag": f'"{etag}"', "Cache-Control": "private, no-cache"}
    if request.method not in {"GET", "HEAD"}:
        return Response(headers=headers)
    conditions.require_match(headers["ETag"])
    if request.if_none_match.contains_weak(etag):
        return Response(status=304, headers=headers)
    answer = kept_answers().get(etag)
    if answer is None:
        answer = encode(make())
        kept_answers().keep(etag, answer)
    return Response(answer, headers=headers, mimetype="application/json")
