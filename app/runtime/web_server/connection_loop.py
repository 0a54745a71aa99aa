"""The web server's event loop: it accepts connections, gathers requests, sends the rest of answers to slow clients, and
closes.

Nothing here waits, whatever a client does. app/runtime/web_server/connections.py holds what each connection waits for.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import time
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from app.runtime.web_server.client_socket import ClientSocket
from app.runtime.web_server.connections import (
    MAX_WAITING_BYTES,
    UNWATCHED,
    Connection,
    ConnectionLimits,
    Phase,
    WaitingConnections,
)
from app.runtime.web_server.early_errors import MAX_TARGET, early_response
from app.runtime.web_server.request_gathering import CONTINUE, Stage
from app.runtime.web_server.transfer_pace import TooSlow

_ACCEPTED_AT_ONCE = 64
_LINGER = 5.0  # seconds for a client to notice the answer and stop sending
_STOP_SECONDS = 2.0  # the same after the worker stops, also for a request that may be on its way
_LOOK_SECONDS = 0.25  # the maximum delay before a time limit is noticed
_REPORT_SECONDS = 60.0
# An idle connection has no time limit; the kernel notices when its client is gone.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 75), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))


class ConnectionLoop(ThreadWorker):  # type: ignore[misc]  # gunicorn carries no types
    """Accepts connections, and keeps them until a thread has something to do for them.

    Subclasses decide which requests get a thread (request_admission.py), and do that work in handle() and
    finish_request() (connection_worker.py). Everything here runs in the main thread.
    """

    alive: bool
    limits = ConnectionLimits(head=10, window=60, rate=8192)  # set by app/runtime/web_server/gunicorn_settings.py

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.waiting = WaitingConnections()
        self._rest = bytearray(256 * 1024)  # bytes from lingering clients are read into this and ignored
        self._look_at = 0.0
        self._dropped = 0
        self._report_at = 0.0

    def run(self) -> None:
        for listener in self.sockets:
            if listener.sock.family in (socket.AF_INET, socket.AF_INET6):
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # accepted sockets inherit the options
                for option, value in _KEEPALIVE:
                    listener.setsockopt(socket.IPPROTO_TCP, option, value)
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        while self.alive and self.is_parent_alive():
            self.set_accept_enabled(self.nr_conns < self.worker_connections)
            self._turn()
        self._stop_accepting()
        # A request on its way is still answered, with "Connection: close" (RFC 9112, 9.6).
        for phase in (Phase.IDLE, Phase.HEAD, Phase.LINGERING):
            self.waiting.cap(phase, _STOP_SECONDS)
        for phase in (Phase.BODY, Phase.SENDING):
            self.waiting.cap(phase, _LINGER)
        until = time.monotonic() + self.cfg.graceful_timeout
        while self.nr_conns > 0 and time.monotonic() < until:
            self._turn()
        self._end()

    def _turn(self) -> None:
        self.notify()
        self.wait_for_and_dispatch_events(timeout=_LOOK_SECONDS)
        now = time.monotonic()
        if now < self._look_at:  # checking every connection after every event would be most of the work
            return
        self._look_at = now + _LOOK_SECONDS
        for conn in self.waiting.due():
            self._time_is_over(conn)
        if self._dropped and now >= self._report_at:
            self.log.warning("%s waiting connections were closed to make room for others", self._dropped)
            self._dropped, self._report_at = 0, now + _REPORT_SECONDS

    def _end(self) -> None:
        self.waiting.each(self._close)
        self.tpool.shutdown(wait=False)
        self.poller.close()
        self.method_queue.close()

    # Accepting.

    def _stop_accepting(self) -> None:
        """Accept the connections that the kernel has completed already, and close the listening sockets. A client that
        connects later is refused at once, or gets another process that has the same sockets; on an open socket it would
        wait for an answer that never comes."""
        for listener in self.sockets:
            before = -1
            while before != self.nr_conns < self.worker_connections:
                before = self.nr_conns
                self.accept(listener)
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()

    def accept(self, listener: Any) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                accepted, address = listener.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._make_room()
                elif error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED):
                    raise
                return
            self.nr_conns += 1
            sock = ClientSocket(accepted, self.limits.pace())
            conn = Connection(self.cfg, sock, address, listener.getsockname())
            self._wait(conn, Phase.IDLE)
            if self.nr_conns >= self.worker_connections:
                self._make_room()

    def _make_room(self) -> None:
        conn = self.waiting.to_make_room()
        if conn is not None:
            self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        if conn.phase is Phase.IDLE and self._has_come(conn):
            return
        self._dropped += 1
        if conn.phase is Phase.TURN:
            with contextlib.suppress(OSError):  # an answer to unread bytes would be lost with the connection
                conn.sock.recv_into(self._rest)
            self.tell_crowded(conn)
        self._close(conn)

    # Waiting.

    def _wait(self, conn: Connection, phase: Phase, seconds: float = float("inf")) -> None:
        before = conn.phase
        if not self.alive:
            seconds = min(seconds, _STOP_SECONDS)
        self.waiting.enter(conn, phase, seconds)
        event = selectors.EVENT_WRITE if phase is Phase.SENDING else selectors.EVENT_READ
        if before is None:
            self.poller.register(conn.sock, event, partial(self._on_event, conn))
        elif before is not phase and Phase.SENDING in (before, phase):
            self.poller.modify(conn.sock, event, partial(self._on_event, conn))
        self._free_memory()

    def _free_memory(self) -> None:
        if self.waiting.held_bytes > MAX_WAITING_BYTES and (holding := self.waiting.to_free_memory()):
            self._drop(holding)

    def _on_event(self, conn: Connection, _sock: Any) -> None:
        if conn.is_closed:  # closed in the same turn, to make room for another one
            return
        try:
            if conn.phase is Phase.SENDING:
                self._send(conn)
            elif conn.phase is Phase.LINGERING:
                if not conn.sock.recv_into(self._rest):
                    self._close(conn)
            elif not self._receive(conn):
                self._close(conn)
        except BlockingIOError:
            return
        except OSError:
            self._close(conn)
        except Exception:
            self.log.exception("Error on a waiting connection")
            self._close(conn)

    def _receive(self, conn: Connection) -> bool:
        """Read the bytes that have come. False if there is nothing to wait for: the client has closed its end."""
        count = conn.sock.receive()
        if conn.phase is Phase.BODY:
            if count == 0:
                self.cut(conn)
                return True
            with contextlib.suppress(TooSlow):  # the app's own read raises it again
                conn.sock.pace.count(count, conn.waited())
        elif count == 0:
            return False
        self.waiting.charge(conn)
        self._look(conn)
        return True

    def _look(self, conn: Connection) -> None:
        """Decide the next step for a request from the bytes that have arrived."""
        stage = conn.gathering.look(conn.sock.received)
        if stage is Stage.READY:
            if conn.phase is not Phase.BODY:
                conn.sock.pace = self.limits.pace()
            self.admit(conn)
        elif conn.sock.pace.failure:
            self.cut(conn)
        elif stage is Stage.HEAD:
            if conn.phase is not Phase.HEAD:
                self._wait(conn, Phase.HEAD, self.limits.head)
        elif stage is Stage.BODY:
            if conn.phase is not Phase.BODY:
                conn.sock.pace = self.limits.pace()
                self._wait(conn, Phase.BODY)
                if conn.gathering.wants_continue:
                    conn.gathering.meet_expectation(conn.sock.received)
                    conn.sock.send_soon(CONTINUE)
            conn.deadline = time.monotonic() + conn.sock.pace.left
        elif stage is Stage.NO_HTTP:
            self._refuse(conn, 400, "This is not an HTTP request. The server speaks plain HTTP/1.1.")
        else:
            self._refuse(conn, 431, "The headers are larger than 64 KiB.")

    def _send(self, conn: Connection) -> None:
        pace = conn.sending_pace
        assert pace is not None
        pace.count(conn.sock.flush(), conn.waited())
        self.waiting.charge(conn)
        if conn.sock.unsent:
            conn.deadline = time.monotonic() + pace.left
        elif conn.answer is not None:
            self._to_thread(conn)
        else:
            self.answered(conn)

    def _time_is_over(self, conn: Connection) -> None:
        if conn.is_closed:
            return
        if conn.phase is Phase.HEAD:
            seconds = f"{self.limits.head:g}"
            self._refuse(conn, 408, f"The headers were not complete within {seconds} seconds.")
        elif conn.phase is Phase.BODY:
            with contextlib.suppress(TooSlow):
                conn.sock.pace.count(0, max(conn.waited(), conn.sock.pace.left))
            self.cut(conn)
        elif conn.phase is Phase.TURN:
            self.refuse_overdue(conn)
        elif not (conn.phase is Phase.IDLE and self._has_come(conn)):
            self._close(conn)

    def _has_come(self, conn: Connection) -> bool:
        """Whether the next request arrived on an idle connection that was about to be closed. Then it is served."""
        try:
            return self._receive(conn)
        except OSError:
            return False

    # Passing on to threads.

    def admit(self, conn: Connection) -> None:
        """Decide what happens with a complete request: it gets a thread, waits for its turn, or is refused."""
        raise NotImplementedError

    def cut(self, conn: Connection) -> None:
        """The body of a request will not come: let the app answer that."""
        raise NotImplementedError

    def refuse_overdue(self, conn: Connection) -> None:
        """A request has waited too long for its turn."""
        raise NotImplementedError

    def tell_crowded(self, conn: Connection) -> None:
        """Answer a request whose connection is closed before its turn, because too many wait."""
        raise NotImplementedError

    def leave_queue(self, conn: Connection) -> None:
        """A request that waits for its turn waits no longer."""
        raise NotImplementedError

    def _to_thread(self, conn: Connection) -> None:
        self._stop_waiting(conn)
        self.enqueue_req(conn)

    def _stop_waiting(self, conn: Connection) -> None:
        """The connection is no longer watched, and counts as one with a thread."""
        if conn.phase is Phase.TURN:
            self.leave_queue(conn)
        if conn.phase is not None and conn.phase not in UNWATCHED:
            self.poller.unregister(conn.sock)
        self.waiting.leave(conn)

    def answered(self, conn: Connection) -> None:
        if not conn.keeps:
            self._linger(conn)
            return
        conn.next_request()
        self._wait(conn, Phase.IDLE)
        if conn.sock.received:
            self._look(conn)

    # Ending.

    def _refuse(self, conn: Connection, status: int, text: str, retry_after: int | None = None) -> None:
        """Answer a request without using a thread."""
        conn.keeps = False
        try:
            # Bytes that do not fit at once are dropped.
            conn.sock.send_soon(early_response(bytes(conn.sock.received[:MAX_TARGET]), status, text, retry_after))
        except OSError:  # nobody noticed that the client was gone
            self._close(conn)
        else:
            self._linger(conn)

    def _linger(self, conn: Connection) -> None:
        """Signal the end of the answer, and read the bytes that are still on their way: closing a socket over unread
        bytes sends a reset, which destroys the answer (RFC 9112, 9.6)."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
        else:
            self._wait(conn, Phase.LINGERING, _LINGER)

    def _close(self, conn: Connection) -> None:
        if conn.is_closed:
            return
        conn.is_closed = True
        self._stop_waiting(conn)
        self.nr_conns -= 1
        conn.close()
        if conn.answer is not None:
            self.tpool.submit(self.end_answer, conn)  # closing the app's answer may take time

    def end_answer(self, conn: Connection) -> None:
        """Close the app's answer, whether it reached its end or not."""
        raise NotImplementedError
