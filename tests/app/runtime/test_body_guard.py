"""The guard by itself, over streams that end, break or go on as servers' do."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import pytest
from gunicorn.http.errors import ChunkMissingTerminator, NoMoreData
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.test import create_environ

from app.refusals import IncompleteBody
from app.runtime.web_server.body_guard import BodyGuard, GuardedBody, GuardedRequest
from app.runtime.web_server.request_gathering import MAX_GATHERED

CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}


class Breaking(io.BytesIO):
    """A stream that raises where it would end."""

    def __init__(self, data: bytes, error: Exception) -> None:
        super().__init__(data)
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if not data:
            raise self._error
        return data


def body(stream: io.BytesIO, length: int | None) -> GuardedBody:
    framing: dict[str, Any] = CHUNKED if length is None else {"CONTENT_LENGTH": str(length)}
    return GuardedBody({"wsgi.input": stream, **framing})


def test_nothing_is_read_beyond_the_length() -> None:
    stream = io.BytesIO(b"hello and the next request")
    assert body(stream, 5).read() == b"hello"
    assert stream.tell() == 5


def test_a_request_without_a_body_has_an_empty_one() -> None:
    for text in ("", "-1", "five"):
        empty = GuardedBody({"wsgi.input": io.BytesIO(b"next"), "CONTENT_LENGTH": text})
        assert empty.is_read
        assert empty.read() == b""


def test_a_short_body_gives_what_came_and_then_is_refused() -> None:
    short = body(io.BytesIO(b"hello"), 8)
    assert short.read(100) == b"hello"
    with pytest.raises(IncompleteBody, match="ended after 5 of 8 bytes: the connection closed"):
        short.read(100)
    assert not short.is_read
    with pytest.raises(IncompleteBody):
        body(io.BytesIO(b"hello"), 8).read()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError("nothing came for 60 seconds"), "nothing came for 60 seconds"),
        (ChunkMissingTerminator(b"XX"), "its chunks are malformed"),
        (NoMoreData(), "the connection closed"),
        (ConnectionResetError(), "the connection broke"),
    ],
)
def test_what_a_server_raises_becomes_one_refusal(error: Exception, reason: str) -> None:
    broken = body(Breaking(b"hello", error), None)
    with pytest.raises(IncompleteBody, match=f"ended after 5 bytes: {reason}"):
        broken.read()
    assert broken.failed


def test_more_than_the_maximum_is_refused_and_exactly_the_maximum_is_not() -> None:
    exact, over = body(io.BytesIO(b"x" * 10), None), body(io.BytesIO(b"x" * 11), None)
    exact.maximum = over.maximum = 10
    assert len(exact.read()) == 10
    assert exact.is_read
    with pytest.raises(RequestEntityTooLarge):
        over.read()


def test_lines_are_read_as_from_any_file() -> None:
    text = b"one\ntwo\n\nfour"
    assert body(io.BytesIO(text), len(text)).readlines() == text.splitlines(keepends=True)
    lines = body(io.BytesIO(text), len(text))
    assert (lines.readline(2), lines.readline(), lines.read(3), lines.read()) == (b"on", b"e\n", b"two", b"\n\nfour")


@pytest.mark.parametrize(
    ("environ", "read", "closes"),
    [
        ({"CONTENT_LENGTH": "5"}, False, True),
        ({"CONTENT_LENGTH": "5"}, True, False),
        ({"CONTENT_LENGTH": "5", "slipway.request_is_whole": True}, False, False),
        ({}, False, False),
        (CHUNKED, False, True),
    ],
)
def test_an_answer_that_leaves_body_on_the_connection_closes_it(
    environ: dict[str, Any], read: bool, closes: bool
) -> None:
    told: list[str] = []
    headers: list[tuple[str, str]] = []

    def app(inner: dict[str, Any], start: Any) -> Iterable[bytes]:
        if read:
            inner["wsgi.input"].read()
        start("413 Too Large", [("Connection", "keep-alive"), ("X", "y")])
        return [b""]

    closing = {"slipway.close_connection": lambda: told.append("close")}
    BodyGuard(app)({"wsgi.input": io.BytesIO(b"hello"), **closing, **environ}, lambda _, found: headers.extend(found))  # type: ignore[arg-type]
    assert ("Connection", "close") in headers if closes else ("Connection", "keep-alive") in headers
    assert told == (["close"] if closes else [])


@pytest.mark.parametrize(("most", "refused"), [(MAX_GATHERED, True), (20 * MAX_GATHERED, False)])
def test_a_chunked_body_too_large_to_be_gathered_is_refused_unread(most: int, refused: bool) -> None:
    """Whoever may send it is not known yet, and reading would wait for them; a route that takes more looks first."""
    stream = io.BytesIO(b"x")
    environ = create_environ(method="POST", input_stream=stream) | CHUNKED | {"slipway.body_is_large": True}
    environ["wsgi.input"] = GuardedBody(environ)
    request = GuardedRequest(environ)
    request.max_content_length = most
    with pytest.raises(RequestEntityTooLarge) if refused else nullcontext():
        request.get_data()
    assert stream.tell() == (0 if refused else 1)


@pytest.mark.parametrize(("fields", "refused"), [(1000, False), (1001, True)])
def test_a_form_has_a_thousand_fields_at_most(fields: int, refused: bool) -> None:
    """More would be taken apart before anybody knows who sends them."""
    text = b"&".join(b"%d=x" % number for number in range(fields))
    environ = create_environ(
        method="POST", input_stream=io.BytesIO(text), content_type="application/x-www-form-urlencoded"
    ) | {"CONTENT_LENGTH": str(len(text))}
    environ["wsgi.input"] = GuardedBody(environ)
    request = GuardedRequest(environ)
    with pytest.raises(RequestEntityTooLarge) if refused else nullcontext():
        assert len(request.form) == 1000
