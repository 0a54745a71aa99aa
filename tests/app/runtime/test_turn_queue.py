"""Requests that wait for their turn: groups in turn, then requesters, each in the order in which they came."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from app.limits.counted_requests import Requester
from app.runtime.web_server.client_socket import ClientSocket
from app.runtime.web_server.connections import Connection
from app.runtime.web_server.transfer_pace import Pace
from app.runtime.web_server.turn_queue import TurnQueue

MIRA, JONAS = (Requester("partner a", name) for name in ("mira", "jonas"))
ADA = Requester("partner b", "ada")


class Names:
    """Connections by the names that a test gives them."""

    def __init__(self) -> None:
        self._named: dict[Connection, str] = {}

    def new(self, name: str) -> Connection:
        ours, theirs = socket.socketpair()
        theirs.close()
        connection = Connection(Config(), ClientSocket(ours, Pace(60, 1)), ("192.0.2.1", 1), ("192.0.2.2", 2))
        self._named[connection] = name
        return connection

    def of(self, connection: Connection | None) -> str:
        return self._named[connection] if connection else ""

    def close(self) -> None:
        for connection in self._named:
            connection.close()


@pytest.fixture
def names() -> Iterator[Names]:
    found = Names()
    yield found
    found.close()


def order(queue: TurnQueue, names: Names, *, blocked: tuple[Requester | str, ...] = ()) -> list[str]:
    """The names of all that may begin, in the order of their turns."""
    found: list[str] = []
    owners: dict[Connection, Requester] = {}

    def may_begin(requester: Requester, connection: Connection) -> bool:
        owners[connection] = requester
        return requester not in blocked

    while connection := queue.next(lambda group: group not in blocked, may_begin):
        found.append(names.of(connection))
        queue.remove(owners[connection], connection)
    return found


@pytest.fixture
def queue(names: Names) -> TurnQueue:
    found = TurnQueue()
    for number in range(1, 4):
        found.add(MIRA, names.new(f"mira {number}"))
    found.add(JONAS, names.new("jonas 1"))
    found.add(ADA, names.new("ada 1"))
    return found


def test_everybody_has_a_turn_before_anybody_has_another(queue: TurnQueue, names: Names) -> None:
    assert order(queue, names) == ["mira 1", "ada 1", "jonas 1", "mira 2", "mira 3"]
    assert not queue.has_group("partner a")
    assert not queue.has(MIRA)


def test_those_beyond_their_share_are_passed(queue: TurnQueue, names: Names) -> None:
    assert order(queue, names, blocked=(MIRA,)) == ["jonas 1", "ada 1"]
    assert queue.has(MIRA)
    assert not queue.has(JONAS)
    assert queue.has_group("partner a")


def test_a_group_beyond_its_share_is_passed(queue: TurnQueue, names: Names) -> None:
    assert order(queue, names, blocked=("partner a",)) == ["ada 1"]
    assert order(queue, names) == ["mira 1", "jonas 1", "mira 2", "mira 3"]
