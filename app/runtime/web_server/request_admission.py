"""Which complete requests get a thread: all but those beyond a budget, or beyond the share of their requester.

Beyond a budget a request is refused at once (docs/decisions/0098). Beyond a share it waits without a thread, and others
pass it (docs/decisions/0128).
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from app.limits import thread_budgets
from app.limits.counted_requests import CountedRequest, InThreads, Requester
from app.limits.slots import Slots
from app.process.state_log import StateLog
from app.runtime.web_server.connection_loop import ConnectionLoop
from app.runtime.web_server.connections import Connection, Phase
from app.runtime.web_server.early_errors import MAX_TARGET, early_response
from app.runtime.web_server.known_callers import KnownCallers
from app.runtime.web_server.turn_queue import TurnQueue

# Requests whose bodies never came are answered a few at a time: many at once would delay all other requests.
_CUT_THREADS = 2
_RELAXED_LOAD = 0.5  # then an overload is over
_TURN_SECONDS = 10.0  # the maximum wait for a turn
# A supervisor without an answer would restart the process, so this is no call, and never refused.
_LIVEZ = re.compile(rb"GET /livez[ ?]")
# A proxy that gets no answer to these takes the process out of its rotation.
_HEALTH = re.compile(rb"GET /(?:readyz|healthz|metrics)[ ?]")
# Live pages and waiting polls have budgets of their own, but get their places in their views. For a live page the path
# is looked at too: the header alone would let every request through.
_POLL = re.compile(rb"GET /[^\s?]*/servers/self/plan[ ?]")
_LIVE_PAGE = re.compile(
    rb"GET /[^\s?]*/live[ ?][^\r\n]*\r\n(?:[^\r\n]+\r\n)*?accept:[ \t]*text/event-stream", re.IGNORECASE
)
_KINDS = ((_POLL, thread_budgets.waiting_polls), (_LIVE_PAGE, thread_budgets.streams))


class RequestAdmission(ConnectionLoop):
    """Gives complete requests to threads. Everything here runs in the main thread, except _wake()."""

    callers = KnownCallers("session", 0)  # set by app/runtime/web_server/gunicorn_settings.py

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._turns = TurnQueue()
        self._shares = thread_budgets.requesters
        self._shares.when_free = self._wake
        self._slots_awaited = 0  # of the requests that wait for their turn, those that are no calls
        self._cut_threads = 0
        self._load_state = StateLog(
            self.log,
            "too many calls: all %s places are in use, and further ones get 503 (SLIPWAY_CALLS)",
            "calls are answered again",
        )

    def admit(self, conn: Connection) -> None:
        """Give a complete request to a thread, let it wait for its turn, or refuse it."""
        if _LIVEZ.match(conn.sock.received):
            self._to_thread(conn)
            return
        requester, conn.credentials = self.callers.look_up(conn.sock.received, conn.host)
        if not requester.name and _HEALTH.match(conn.sock.received):
            requester = Requester(requester.group, "health")  # not behind everything else from this address
        conn.requester = requester
        if self._is_overloaded(conn):
            # Beyond the budget, only the first request of a group waits: all others would make everybody wait.
            if self._shares.is_idle(requester.group) and not self._turns.has_group(requester.group):
                self._wait_for_turn(conn, requester)
            else:
                self._refuse_for_load(conn)
        elif self._shares.has_room(requester) and not self._turns.has_group(requester.group):
            self._to_thread(conn)
        else:
            self._wait_for_turn(conn, requester)

    def enqueue_req(self, conn: Connection) -> None:
        if conn.counted is None:  # else its answer continues
            conn.counted = CountedRequest(self._kind_of(conn), conn.requester, self._shares)
        conn.counted.enter_thread()
        super().enqueue_req(conn)

    def request_ended(self, conn: Connection) -> None:
        """A thread has done what it could for a request. If the app recognised its requester, their next requests count
        as theirs."""
        if conn.counted is not None:
            conn.counted.leave_thread()
            # A copy: a held answer may be in its next thread already.
            for kind, requester in tuple(conn.counted.recognised.items()):
                if (credential := conn.credentials.get(kind)) is not None:
                    self.callers.remember(credential, requester)
        if conn.is_cut:
            conn.is_cut = False
            self._cut_threads -= 1
            self._answer_cut()

    # Turns.

    def _wait_for_turn(self, conn: Connection, requester: Requester) -> None:
        self._stop_waiting(conn)
        self._turns.add(requester, conn)
        self._shares.waiting += 1
        self._slots_awaited += _slots_for(conn) is not None
        self.waiting.enter(conn, Phase.TURN, _TURN_SECONDS)
        self._free_memory()
        if self._shares.has_room(requester):  # a thread became free before the wait began
            self._begin_turns()

    def leave_queue(self, conn: Connection) -> None:
        assert conn.requester is not None
        self._turns.remove(conn.requester, conn)
        self._shares.waiting -= 1
        self._slots_awaited -= _slots_for(conn) is not None

    def _wake(self) -> None:
        """A thread of somebody is free. Called in any thread."""
        self.method_queue.defer(self._begin_turns)

    def _begin_turns(self) -> None:
        while self._any_may_begin() and (conn := self._turns.next(self._shares.group_has_room, self._may_begin)):
            self._to_thread(conn)

    def _any_may_begin(self) -> bool:
        # When hundreds wait for the budget, asking each of them for every thread that becomes free takes longer than
        # the requests do.
        return thread_budgets.calls.load < 1 or self._slots_awaited > 0

    def _may_begin(self, requester: Requester, conn: Connection) -> bool:
        return self._shares.has_room(requester) and not self._is_overloaded(conn)

    def refuse_overdue(self, conn: Connection) -> None:
        assert conn.requester is not None
        share, after = self._shares.share_of(conn.requester), thread_budgets.calls.retry_after
        self._stop_waiting(conn)
        self._refuse(
            conn,
            503,
            f"At most {share} of your requests are answered at the same time, and this one waited for "
            f"{_TURN_SECONDS:g} seconds. Send fewer at once, and try again in {after} seconds.",
            after,
        )

    def tell_crowded(self, conn: Connection) -> None:
        after = thread_budgets.calls.retry_after
        text = (
            "More requests of yours wait for their turn than there are places for. "
            f"Send fewer at once, and try again in {after} seconds."
        )
        with suppress(OSError):  # the client is gone
            conn.sock.send_soon(early_response(bytes(conn.sock.received[:MAX_TARGET]), 503, text, after))

    # Overload.

    def _is_overloaded(self, conn: Connection) -> bool:
        """Whether a complete request gets no thread, because too many of all requesters are being answered."""
        load = thread_budgets.calls.load
        if load < _RELAXED_LOAD:
            self._load_state.worked()
        if slots := self._slots_of(conn):
            return not thread_budgets.may_arrive(slots)
        return load >= 1

    def _kind_of(self, conn: Connection) -> InThreads:
        if _LIVEZ.match(conn.sock.received):
            return thread_budgets.probes
        slots = self._slots_of(conn)
        return slots.arriving if slots else thread_budgets.calls

    def _slots_of(self, conn: Connection) -> Slots | None:
        """The slots for which this request asks in its view, while some are free. It is then no call."""
        slots = _slots_for(conn)
        return slots if slots is not None and slots.in_use < slots.limit else None

    def _refuse_for_load(self, conn: Connection) -> None:
        if slots := self._slots_of(conn):
            self._refuse(conn, 503, slots.refusal, slots.retry_after)
            return
        limit, after = thread_budgets.calls.limit, thread_budgets.calls.retry_after
        self._load_state.failed(limit)
        self._refuse(conn, 503, f"All {limit} places for calls are in use. Try again in {after} seconds.", after)

    # Bodies that did not come.

    def cut(self, conn: Connection) -> None:
        """Let the app answer that the body did not come: its reading finds out."""
        self._stop_waiting(conn)
        if conn.requester is None:  # so that whoever waits for a thread is told when this one is free
            conn.requester, conn.credentials = self.callers.look_up(conn.sock.received, conn.host)
        self.waiting.enter(conn, Phase.CUT)
        self._answer_cut()

    def _answer_cut(self) -> None:
        while self._cut_threads < _CUT_THREADS and (conn := self.waiting.first(Phase.CUT)):
            self.waiting.leave(conn)
            conn.is_cut = True
            self._cut_threads += 1
            self.enqueue_req(conn)


def _slots_for(conn: Connection) -> Slots | None:
    """The slots for which this request asks in its view, free or not."""
    return next((slots for kind, slots in _KINDS if kind.match(conn.sock.received)), None)
