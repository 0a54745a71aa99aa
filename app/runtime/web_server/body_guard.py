"""The request body for all code: each way a body can go wrong becomes a refusal that the app answers.

A WSGI server ends a body early without an error, and has exceptions of its own for broken chunks. Werkzeug passes both
on: a JSON body that was cut counted as complete, a malformed chunk was a 500, and of a chunked body over the limit the
first part was used. This module counts the bytes once, for JSON, forms and archives alike.

An answer before the end of the body closes the connection: the rest would be read as the next request.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Protocol, cast

from flask import Request
from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.utils import cached_property

from app.refusals import IncompleteBody
from app.runtime.web_server.request_gathering import MAX_GATHERED

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
_PIECE = 256 * 1024  # the size of one read when the whole body is requested
_LINE = 8192


class StartResponse(Protocol):
    """A WSGI app calls it with its status line and headers."""

    def __call__(self, status: str, headers: Headers, exc_info: Any = None, /) -> Callable[[bytes], object]: ...


class GuardedBody:
    """The body of one request as a file to read. Reading raises IncompleteBody when the body ends early, comes too
    slowly or breaks the rules of HTTP, and RequestEntityTooLarge when it exceeds `maximum` bytes.

    `length` is the Content-Length, or None for a chunked body. `is_large`: the server gave it away before it was there,
    because it is larger than MAX_GATHERED; to read it is to wait for its client.
    """

    def __init__(self, environ: Environ) -> None:
        self.length = _length(environ)
        # app/runtime/web_server/connection_worker.py sets it
        self.is_large: bool = environ.get("slipway.body_is_large", False)
        self.maximum: int | None = None
        self.received = 0
        self.failed = False
        self._stream: IO[bytes] = environ["wsgi.input"]
        self._ended = self.length == 0
        self._held = b""  # read ahead for readline()

    @property
    def is_read(self) -> bool:
        """Whether every byte of the body was read."""
        return self._ended or self.received == self.length

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes, fewer only at the end. The whole rest if `size` is negative or None."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(_PIECE), b""))
        if self._held:
            data, self._held = self._held[:size], self._held[size:]
            return data
        return self._receive(size)

    def readline(self, size: int | None = -1) -> bytes:
        """One line with its end, of at most `size` bytes."""
        maximum_length = size if size is not None and size >= 0 else None
        line = self._held
        while (
            b"\n" not in line
            and (maximum_length is None or len(line) < maximum_length)
            and (more := self._receive(_LINE))
        ):
            line += more
        end = line.find(b"\n") + 1 or len(line)
        end = end if maximum_length is None else min(end, maximum_length)
        self._held = line[end:]
        return line[:end]

    def readlines(self, hint: int = -1) -> list[bytes]:
        """All remaining lines. `hint` is ignored, as WSGI allows."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _receive(self, size: int) -> bytes:
        # Not every server ends the stream where the body ends: reading further would wait for the next request.
        wanted = size if self.length is None else min(size, self.length - self.received)
        if self._ended or wanted <= 0:
            return b""
        try:
            data = self._stream.read(wanted)
        except TimeoutError as error:
            raise self._incomplete(str(error)) from None
        except NoMoreData:
            raise self._incomplete("the connection closed") from None
        except ParseException:  # gunicorn's error for a body that breaks the rules of HTTP
            raise self._incomplete("its chunks are malformed") from None
        except OSError:
            raise self._incomplete("the connection broke") from None
        self.received += len(data)
        if self.maximum is not None and self.received > self.maximum:
            raise RequestEntityTooLarge
        if not data:
            # A client that hangs up looks like the end of the body; only the count shows it.
            if self.length is not None:
                raise self._incomplete("the connection closed")
            self._ended = True
        return data

    def _incomplete(self, reason: str) -> IncompleteBody:
        self.failed = True
        return IncompleteBody(reason, self.received, self.length)


def _length(environ: Environ) -> int | None:
    """The Content-Length. None for a chunked body, 0 without a body."""
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower() and environ.get("wsgi.input_terminated"):
        return None
    text = environ.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isdecimal() else 0


class BodyGuard:
    """The WSGI middleware: the app behind it reads a GuardedBody, with any server."""

    def __init__(self, app: Callable[[Environ, Any], Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"] = GuardedBody(environ)
        read_to_end = environ.get(
            "slipway.request_is_whole", False
        )  # app/runtime/web_server/connection_worker.py sets these two
        close_connection = environ.get("slipway.close_connection")

        def start(status: str, headers: Headers, *exc_info: Any) -> Callable[[bytes], object]:
            if body.failed or not (body.is_read or read_to_end):
                if close_connection:
                    close_connection()  # gunicorn ignores the header; other servers use it
                headers = [(name, value) for name, value in headers if name.lower() != "connection"]
                headers.append(("Connection", "close"))
            return start_response(status, headers, *exc_info)

        return self._app(environ, start)


class FewFields(FormDataParser):
    """Werkzeug's parser, which bounds the number of fields in multipart forms alone. Of the other kind a megabyte of
    `a&` is half a million fields: a second of work and twenty times the memory, before a token is looked at."""

    def _parse_urlencoded(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, Any]]:
        data = stream.read()
        if self.max_form_parts is not None and data.count(b"&") >= self.max_form_parts:
            raise RequestEntityTooLarge
        return super()._parse_urlencoded(io.BytesIO(data), mimetype, content_length, options)


class GuardedRequest(Request):
    """Flask's request, reading the GuardedBody itself: Werkzeug's own limit cuts a chunked body silently."""

    form_data_parser_class = FewFields

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body, of at most `max_content_length` bytes. Raises RequestEntityTooLarge if a larger one is
        announced."""
        body = self.environ["wsgi.input"]
        if not isinstance(body, GuardedBody):  # a request without a server, made by test_request_context()
            return super().stream
        body.maximum = self.max_content_length
        if body.maximum is not None:
            # Nobody who is not recognised may hold a thread: a chunked body that is too large is refused unread too.
            is_large = body.is_large and body.maximum <= MAX_GATHERED
            if is_large or (body.length or 0) > body.maximum:
                raise RequestEntityTooLarge
        return cast(IO[bytes], body)
