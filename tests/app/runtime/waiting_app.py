"""A WSGI app whose answers wait for what app.process.shutdown tells: what the web server's own behaviour is
tested with."""

from __future__ import annotations

import json
import logging
import resource
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from app.process import shutdown

LONGEST_SECONDS = 60.0
StartResponse = Callable[[str, list[tuple[str, str]]], object]


def _until_stopping() -> str:
    return "stopping" if shutdown.stopping.wait(LONGEST_SECONDS) else "never told"


def _until_cut() -> str:
    cut = threading.Event()
    shutdown.when_cut(cut.set)
    return "cut" if cut.wait(LONGEST_SECONDS) else "never told"


def _until_killed() -> str:
    threading.Event().wait(LONGEST_SECONDS)
    return "never killed"


def _limits() -> str:
    return json.dumps(
        {"openFiles": resource.getrlimit(resource.RLIMIT_NOFILE)[0], "threadStack": threading.stack_size()}
    )


class _Held(Protocol):
    """A held connection (app/runtime/web_server/held_streams.py)."""

    def send(self, data: bytes) -> bool: ...

    def resume(self) -> None: ...


def _held(hold: Callable[[Callable[[_Held], None]], None]) -> Iterator[bytes]:
    """Another thread sends pieces until the client accepts no more. This generator sends the last one."""
    sent = 0

    def send_all(stream: _Held) -> None:
        nonlocal sent
        while stream.send(b"%07d\n" % sent * 10_000):
            sent += 1
        stream.resume()

    yield b"first\n"
    hold(lambda stream: threading.Thread(target=send_all, args=(stream,)).start())
    yield b""
    yield b"last after %d\n" % sent


_ANSWERS: dict[str, Callable[[], str]] = {
    "/until-stopping": _until_stopping,
    "/until-cut": _until_cut,
    "/livez?waits": _until_stopping,
    "/dressed-up/servers/self/plan": _until_stopping,  # looks like a poll, and never asks for a slot
    "/until-killed": _until_killed,
    "/limits": _limits,
}


def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"] + (f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] == "waits" else "")
    if path == "/fails":
        raise RuntimeError("fails on purpose")
    logging.getLogger("gunicorn.error").info("begun: %s", path)
    if path == "/held":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return _held(environ["slipway.hold_stream"])
    if path == "/scheme":
        body = environ["wsgi.url_scheme"].encode()
    else:
        body = _ANSWERS[path]().encode() if path in _ANSWERS else b"here"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
