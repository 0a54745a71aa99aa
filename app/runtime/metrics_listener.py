"""`/metrics` on an address of its own (SLIPWAY_METRICS_LISTEN): for each of several web processes on one port, and for
`flask worker`, which has no other address."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from flask import Flask

from app.config.metrics_settings import ListenRange
from app.monitoring.exposition import CONTENT_TYPE, exposition
from app.monitoring.scrape_access import REFUSAL, may_scrape

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)
MAX_CLIENTS = 8
MAX_CLIENT_SECONDS = 10.0  # for a client to send its request, and to read the answer


class _Handler(WSGIRequestHandler):
    timeout = MAX_CLIENT_SECONDS

    def handle(self) -> None:
        """Answer, if the request arrives in time. The timeout is that of one read, and a client that sends a byte now
        and then would keep its place for days."""
        end = threading.Timer(MAX_CLIENT_SECONDS, self._stop_reading)
        end.daemon = True
        end.start()
        try:
            super().handle()
        finally:
            end.cancel()

    def _stop_reading(self) -> None:
        with suppress(OSError):  # it has gone
            self.connection.shutdown(socket.SHUT_RD)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  # the library's own name for it
        """Log nothing: a scrape every few seconds is no news."""

    def address_string(self) -> str:
        """The client's address. The library would ask the name server for its name."""
        return str(self.client_address[0])


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self._places = threading.BoundedSemaphore(MAX_CLIENTS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a new thread, or close the connection if too many are open."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, in the new thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log one line: mostly, the client has gone."""
        log.info("a scrape was not answered: %s", sys.exc_info()[1])

    def server_bind(self) -> None:
        """Bind. The library would ask the name server for this host's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _SixServer(_Server):
    address_family = socket.AF_INET6


def listen_for_scrapes(app: Flask, listen: ListenRange, token: str | None) -> int | None:
    """Answer scrapes on the first free port of the range, from now on and in threads of their own. Returns the port, or
    None if every port is in use."""
    server = _bound(listen)
    if server is None:
        log.warning(
            "no port of SLIPWAY_METRICS_LISTEN (%s, %s to %s) is free: this process has no /metrics of its own. Give "
            "it more ports than there are web processes and workers",
            listen.host,
            listen.first,
            listen.last,
        )
        return None

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/metrics" or environ["REQUEST_METHOD"] != "GET":
            return _plain(start_response, "404 Not Found", b"Only GET /metrics is here.\n")
        if not may_scrape(environ, token):
            return _plain(start_response, "403 Forbidden", REFUSAL.encode())
        with app.app_context():
            return _plain(start_response, "200 OK", exposition(), CONTENT_TYPE)

    server.set_app(answer)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    log.info("/metrics of this process is on port %s", server.server_port)
    return server.server_port


def _bound(listen: ListenRange) -> _Server | None:
    kind = _SixServer if ":" in listen.host else _Server
    for port in range(listen.first, listen.last + 1):
        try:
            return kind((listen.host, port))
        except OSError:
            continue
    return None


def _plain(
    start_response: StartResponse, status: str, body: bytes, content_type: str = "text/plain; charset=utf-8"
) -> list[bytes]:
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]
