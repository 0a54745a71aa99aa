"""The web server's worker: gunicorn's threads and parser, on an event loop in which no client can hold a thread.

A thread gets a request when its headers have arrived, and its body too if that is small. It returns the connection to
the loop when the client stops accepting the answer. gunicorn's own worker uses a thread for each connection that sends
half a header, and closes an idle connection under the client's next request (docs/decisions/0013).
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData

from app.limits.counted_requests import answering
from app.runtime.web_server import early_errors
from app.runtime.web_server.client_answer import ClientAnswer
from app.runtime.web_server.connections import Connection, Phase
from app.runtime.web_server.early_errors import MAX_TARGET
from app.runtime.web_server.held_streams import HeldStream, StreamHold
from app.runtime.web_server.request_admission import RequestAdmission
from app.runtime.web_server.request_gathering import MAX_HELD

_DRAIN_SECONDS = 5.0  # for a body that the app did not read, if nothing has closed the connection


class ConnectionWorker(RequestAdmission):
    """Handles requests that have arrived. handle() and the functions it calls run in a thread of the pool."""

    def handle(self, conn: Connection) -> bool | None:
        """Answer a request, or continue its answer, in a thread of the pool. Returns whether the connection can carry
        another request, and None if the app holds it now. `conn.answer` is kept until it is sent to its end."""
        with answering(conn.counted):
            return self._handle(conn)

    def _handle(self, conn: Connection) -> bool | None:
        request = conn.answer.request if conn.answer else None
        head = bytes(conn.sock.received[:MAX_TARGET])
        try:
            if conn.answer is None:
                conn.init()
                request = next(conn.parser)
                conn.answer = self._begin(request, conn)
            if not conn.answer.send(conn.sock):
                return self._hold(conn, conn.answer)
            keeps = not conn.answer.response.should_close()
            self.end_answer(conn)
            # What has been gathered is there and only to be skipped. gunicorn's own bound is 64 KiB: beyond it the
            # connection would be closed after an answer that says it stays open.
            most = MAX_HELD if conn.gathering.is_whole else None
            return keeps and conn.parser.finish_body(time.monotonic() + _DRAIN_SECONDS, most) is True
        except (NoMoreData, StopIteration, OSError) as error:
            self.log.debug("a connection ended early: %s", error)
        except Exception as error:
            if conn.answer is not None and conn.answer.response.headers_sent:
                # The client would take a second answer on the same connection for a part of the first.
                self.log.exception("Error handling request")
            elif refused := early_errors.describe(error):
                # Without its text: what it quotes can be a header with a key.
                self.log.warning("Invalid request from ip=%s: %s", conn.host, type(error).__name__)
                with suppress(OSError):  # the client is gone
                    conn.sock.sendall(early_errors.early_response(head, *refused))
            else:
                self.handle_error(request, conn.sock, conn.client, error)
        self.end_answer(conn)
        return False

    def _hold(self, conn: Connection, answer: ClientAnswer) -> bool | None:
        """Give the connection to the app if it asked for it and its client accepts what was sent."""
        if conn.sock.unsent or not answer.hold.is_requested:
            return True
        # From here on the connection may be in another thread already.
        resume = partial(self.method_queue.defer, self._continue_answer, conn)
        answer.hold.begin(HeldStream(conn.sock, answer.response, resume))
        return None

    def _continue_answer(self, conn: Connection) -> None:
        """After a held answer, in the main thread."""
        if conn.sock.unsent:
            self._wait_for_client(conn)
        else:
            self.enqueue_req(conn)

    def _begin(self, request: Any, conn: Connection) -> ClientAnswer:
        self.cfg.pre_request(self, request)
        response, environ = wsgi.create(request, conn.sock, conn.client, conn.server, self.cfg)
        environ["wsgi.multithread"] = True
        environ["slipway.close_connection"] = response.force_close
        environ["slipway.request_is_whole"] = conn.gathering.is_whole
        environ["slipway.body_is_large"] = conn.gathering.is_large
        hold = environ["slipway.hold_stream"] = StreamHold()
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        if not self.alive:
            response.force_close()
        began = datetime.now()  # noqa: DTZ005  # as gunicorn's access log takes it
        return ClientAnswer(request, response, environ, self.wsgi(environ, response.start_response), began, hold)

    def end_answer(self, conn: Connection) -> None:
        answer, conn.answer = conn.answer, None
        if answer is not None:
            try:
                self.log.access(answer.response, answer.request, answer.environ, datetime.now() - answer.began)  # noqa: DTZ005
                answer.close()
            except Exception:
                self.log.exception("Error at the end of an answer")

    def finish_request(self, conn: Connection, done: Future[bool | None]) -> None:
        try:
            self.request_ended(conn)
            keeps = done.result()
            if keeps is None:
                return  # the app holds the connection
            conn.keeps = keeps
            if conn.sock.unsent:
                self._wait_for_client(conn)
            elif conn.answer is not None:
                self.enqueue_req(conn)
            else:
                self.answered(conn)
        except Exception:
            self.log.exception("Error after a request")
            self._close(conn)

    def _wait_for_client(self, conn: Connection) -> None:
        # A stream of events has sent little when it waits for the hundredth time; that does not make it slow.
        if conn.sending_pace is None or (conn.answer and conn.answer.response.chunked):
            conn.sending_pace = self.limits.pace()
        self._wait(conn, Phase.SENDING, conn.sending_pace.left)
