"""Which waiting connection is closed first: one of whoever uses up the places or the memory."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from app.limits.counted_requests import Requester
from app.runtime.web_server import connections
from app.runtime.web_server.client_socket import ClientSocket
from app.runtime.web_server.connections import Connection, Phase, WaitingConnections
from app.runtime.web_server.transfer_pace import Pace


class Waiting:
    """Connections that wait, each with `size` bytes of its request."""

    def __init__(self) -> None:
        self.all = WaitingConnections()
        self._made: list[Connection] = []

    def enter(self, phase: Phase, group: str = "", size: int = 10) -> Connection:
        ours, theirs = socket.socketpair()
        theirs.close()
        connection = Connection(Config(), ClientSocket(ours, Pace(60, 1)), ("192.0.2.1", 1), ("192.0.2.2", 2))
        connection.sock.received += b"x" * size
        connection.requester = Requester(group) if group else None
        self.all.enter(connection, phase)
        self._made.append(connection)
        return connection

    def close(self) -> None:
        for connection in self._made:
            connection.close()


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    found = Waiting()
    yield found
    found.close()


def test_idle_connections_of_others_close_no_request_that_waits_for_its_turn(waiting: Waiting) -> None:
    page = waiting.enter(Phase.TURN, "partner a")
    idle = waiting.enter(Phase.IDLE, "address b")
    assert waiting.all.to_make_room() is idle
    waiting.all.leave(idle)
    assert waiting.all.to_make_room() is page


def test_whoever_waits_with_most_requests_makes_room_first(waiting: Waiting) -> None:
    waiting.enter(Phase.TURN, "partner a")
    flood = [waiting.enter(Phase.TURN, "address b") for _ in range(connections.MAX_TURNS_KEPT + 2)]
    idle = waiting.enter(Phase.IDLE)
    for oldest in flood[:2]:
        assert waiting.all.to_make_room() is oldest
        waiting.all.leave(oldest)
    assert waiting.all.to_make_room() is idle


def test_bodies_on_their_way_take_no_memory_from_requests_that_wait_for_their_turn(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_TURN_BYTES", 1000)
    page = waiting.enter(Phase.TURN, "partner a", 300)
    body = waiting.enter(Phase.BODY, "", 5000)
    assert waiting.all.to_free_memory() is body
    large = waiting.enter(Phase.TURN, "address b", 900)
    assert waiting.all.to_free_memory() is large
    waiting.all.leave(large)
    waiting.all.leave(page)
    assert waiting.all.to_free_memory() is body
