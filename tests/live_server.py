"""A test's app behind a real server in the same process, for clients that are not Flask's: browsers, agents."""

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
        """Nothing: what failed is read in the client's terms."""


def _closed_in_any_case(app: WSGIApplication) -> WSGIApplication:
    """Werkzeug's server forgets to close a body when the connection is reset in the moment after its last byte; what
    waits for that, a live stream's place, would never be given back. A generator is closed with its frame."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        body = app(environ, start_response)

        def pieces() -> Iterator[bytes]:
            try:
                yield from map(bytes, body)  # without `map` this would close it too, and twice is too often
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
        """As a server stops: its streams end first. One that outlived its app would move the next app's hub to the
        versions of another database, and what changes there would be no news to anybody."""
        hub.stop()
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()
        for thread in threading.enumerate():
            # A request that was taken a moment ago may still be about to open its stream. A connection on which a
            # browser that goes on living asks nothing would be waited for in vain.
            if thread.name.endswith("(process_request_thread)"):
                thread.join(1)
        wait_until(lambda: thread_budgets.streams.taken == 0, 20, "all streams have ended")
