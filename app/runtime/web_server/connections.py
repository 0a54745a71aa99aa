"""The connections of one web process that have no thread: what each waits for, until when, and which is closed
first."""

from __future__ import annotations

import enum
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gunicorn.workers.gthread import TConn

from app.limits.counted_requests import CountedRequest, Credential, Requester
from app.runtime.web_server.client_answer import ClientAnswer
from app.runtime.web_server.client_socket import ClientSocket
from app.runtime.web_server.request_gathering import Gathering
from app.runtime.web_server.transfer_pace import Pace

MAX_WAITING_BYTES = 64 * 1024**2  # of all waiting requests and answers
MAX_TURN_BYTES = MAX_WAITING_BYTES // 2  # of those that wait for their turn, before others have to go
MAX_TURNS_KEPT = 16  # requests of one group that keep their places when all are used; a page has about as many images
_NEVER = math.inf


@dataclass(frozen=True)
class ConnectionLimits:
    """`head`: seconds for a request's headers. Within `window` seconds, `rate` bytes per second must come or go."""

    head: float
    window: float
    rate: int

    def pace(self) -> Pace:
        return Pace(self.window, self.rate)


class Phase(enum.Enum):
    """The event that a connection without a thread waits for."""

    HEAD = "the rest of its headers"
    BODY = "the rest of its body"
    TURN = "its turn, because its requester uses enough threads"
    CUT = "a thread to answer that its body did not come"
    IDLE = "the first byte of its next request"
    SENDING = "its client to accept the answer"
    LINGERING = "its client to have read the answer and to close"


# Which phase loses a connection first when all places are used, and how many seconds a connection has before that may
# happen. A connection that only waits for its next request is worth more than a slow one, and less than a new one.
_FIRST_TO_GO = (
    (Phase.CUT, 0.0),
    (Phase.LINGERING, 0.0),
    (Phase.TURN, 0.0),  # only of a group with more than MAX_TURNS_KEPT
    (Phase.HEAD, 1.0),
    (Phase.BODY, 5.0),
    (Phase.SENDING, 5.0),
    (Phase.IDLE, 1.0),
)


# Nothing is read from these: all of the request is there, or will not come.
UNWATCHED = (Phase.TURN, Phase.CUT)


class Connection(TConn):  # type: ignore[misc]  # gunicorn carries no types
    """One client's connection, from request to request."""

    sock: ClientSocket
    parser: Any

    def __init__(self, config: Any, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(config, sock, client, server)
        self.gathering = Gathering()
        self.answer: ClientAnswer | None = None
        self.counted: CountedRequest | None = None  # the request, once it has had a thread
        self.keeps = False  # whether another request may follow
        self.is_closed = False
        self.requester: Requester | None = None  # of the request that has arrived
        self.credentials: dict[Credential, bytes] = {}  # hashes of its key and session
        self.is_cut = False  # a thread is answering that the body did not come
        self.phase: Phase | None = None
        self.deadline = _NEVER
        self.entered = 0.0  # when the phase began
        self.moved_at = 0.0  # when bytes last came or went
        self.sending_pace: Pace | None = None
        self.charged = 0  # bytes of memory that are counted for this connection

    @property
    def host(self) -> str:
        """The address that it comes from, and "" on a Unix socket."""
        return str(self.client[0]) if isinstance(self.client, tuple) else ""

    def next_request(self) -> None:
        """Drop the answered request. Bytes read beyond it are the beginning of the next."""
        rest = self.parser.unreader.take_buffered()
        if rest:
            self.sock.unread(rest)
        if bytes(self.sock.received[:3]) == b"\r\n":
            self.sock.received.clear()  # some clients end a form with an empty line that no length includes
        self.parser.mesg = None  # it would keep the last request in memory while the connection is idle
        self.gathering = Gathering()
        self.counted = self.requester = None
        self.credentials = {}
        self.sending_pace = None

    def waited(self) -> float:
        """Seconds since the last call."""
        now = time.monotonic()
        waited, self.moved_at = now - self.moved_at, now
        return waited


class WaitingConnections:
    """All connections without a thread, by phase and in the order in which they entered it. For one thread only."""

    def __init__(self) -> None:
        self._by_phase: dict[Phase, dict[Connection, None]] = {phase: {} for phase in Phase}
        self.held_bytes = 0
        self._turns: Counter[str] = Counter()  # by group
        self._turn_bytes: Counter[str] = Counter()

    def enter(self, connection: Connection, phase: Phase, seconds: float = _NEVER) -> None:
        """Record what a connection waits for now, and for how long at most."""
        now = time.monotonic()
        self._leave_phase(connection)
        connection.phase = phase
        connection.entered = connection.moved_at = now
        connection.deadline = now + seconds
        self._by_phase[phase][connection] = None
        self.charge(connection)
        if phase is Phase.TURN:
            self._count_turn(connection, 1)

    def leave(self, connection: Connection) -> None:
        """The connection has a thread again, or is closed."""
        self._leave_phase(connection)
        self.held_bytes -= connection.charged
        connection.charged = 0

    def _leave_phase(self, connection: Connection) -> None:
        if connection.phase is Phase.TURN:
            self._count_turn(connection, -1)
        if connection.phase is not None:
            del self._by_phase[connection.phase][connection]
            connection.phase = None

    def _count_turn(self, connection: Connection, number: int) -> None:
        # Nothing is read while it waits for its turn, so its memory stays the same.
        group = connection.requester.group if connection.requester else ""
        self._turns[group] += number
        self._turn_bytes[group] += number * connection.charged
        if not self._turns[group]:
            del self._turns[group], self._turn_bytes[group]

    def charge(self, connection: Connection) -> None:
        """Count the memory of a waiting connection again."""
        memory = connection.sock.held_bytes
        self.held_bytes += memory - connection.charged
        connection.charged = memory

    def due(self) -> Iterator[Connection]:
        """The connections whose time is over."""
        now = time.monotonic()
        for phase in self._by_phase.values():
            yield from [connection for connection in phase if connection.deadline <= now]

    def to_make_room(self) -> Connection | None:
        """The connection to close for a new one."""
        now = time.monotonic()
        for phase, grace in _FIRST_TO_GO:
            is_turn = phase is Phase.TURN
            oldest = self._oldest_turn(self._turns, MAX_TURNS_KEPT) if is_turn else self.first(phase)
            if oldest is not None and now - oldest.entered >= grace:
                return oldest
        return self.first(Phase.HEAD) or self.first(Phase.IDLE) or self.first(Phase.TURN)

    def to_free_memory(self) -> Connection | None:
        """The connection to close when all together use too much memory."""
        if self._turn_bytes.total() > MAX_TURN_BYTES:
            return self._oldest_turn(self._turn_bytes, 0)
        holding = [self.first(phase) for phase in (Phase.CUT, Phase.HEAD, Phase.BODY, Phase.SENDING)]
        return min((found for found in holding if found), key=lambda found: found.entered, default=None)

    def _oldest_turn(self, sizes: Counter[str], most: int) -> Connection | None:
        """Of the requests that wait for their turn, the oldest of the largest group, if its size is more than `most`.
        Those of smaller groups are kept: they did not use up the places."""
        group = max(sizes, key=sizes.__getitem__, default=None)
        if group is None or sizes[group] <= most:
            return None
        return next(each for each in self._by_phase[Phase.TURN] if each.requester and each.requester.group == group)

    def first(self, phase: Phase) -> Connection | None:
        """The connection that has waited longest in this phase."""
        return next(iter(self._by_phase[phase]), None)

    def cap(self, phase: Phase, seconds: float) -> None:
        """Let no connection in this phase wait longer than `seconds` from now."""
        latest = time.monotonic() + seconds
        for connection in self._by_phase[phase]:
            connection.deadline = min(connection.deadline, latest)

    def each(self, do: Callable[[Connection], None]) -> None:
        """Call a function with each of them."""
        for members in self._by_phase.values():
            for connection in list(members):
                do(connection)
