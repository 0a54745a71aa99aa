"""Serves a test's app from a real server in the same process, for browsers and agents."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from app.limits import thread_budgets
from app.topics.event_hub import hub
from tests.app.runtime.processes import wait_until

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: tests check the client's view."""


def _closed_in_any_case(app: WSGIApplication) -> WSGIApplication:
    """Close every response body. Werkzeug does not close a body if the connection is reset right after its last
    byte, and a live stream would then keep its slot. A generator is closed with its frame."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        body = app(environ, start_response)

        def pieces() -> Iterator[bytes]:
            try:
                yield from map(bytes, body)  # without `map` this would close the body a second time
            finally:
                getattr(body, "close", lambda: None)()

        return pieces()

    return answer


class LiveServer:
    """The app behind a threaded server on loopback."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.server = make_server("127.0.0.1", 0, _closed_in_any_case(app), threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop like a real server: end the streams first. A stream that outlived its app would set the next app's
        hub to the versions of another database, and changes there would not reach any page."""
        hub.stop()
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()
        for thread in threading.enumerate():
            # A request accepted a moment ago may still open its stream. The join is bounded, because an idle connection
            # of a browser that keeps running does not end.
            if thread.name.endswith("(process_request_thread)"):
                thread.join(1)
        wait_until(lambda: thread_budgets.streams.in_use == 0, 20, "all streams have ended")
