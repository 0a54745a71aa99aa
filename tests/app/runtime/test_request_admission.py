"""Which complete request gets the thread that has just become free, and what those hear that wait for too many."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config

from app.limits import thread_budgets
from app.limits.counted_requests import CountedRequest, RequesterShares
from app.limits.thread_budgets import Calls
from app.runtime.web_server import connections
from app.runtime.web_server.client_socket import ClientSocket
from app.runtime.web_server.connection_worker import ConnectionWorker
from app.runtime.web_server.connections import Connection
from app.runtime.web_server.transfer_pace import Pace


class Admission(ConnectionWorker):
    """Its threads never end by themselves: `begun` has the keys of the requests that got one."""

    def __init__(self) -> None:
        super().__init__(1, 1, [], BaseApplication, 30, Config(), logging.getLogger("gunicorn.error"))
        self.method_queue.init()
        self.begun: list[str] = []
        self.connections: dict[str, Connection] = {}
        self.clients: dict[str, socket.socket] = {}

    def enqueue_req(self, conn: Connection) -> None:
        conn.counted = CountedRequest(thread_budgets.probes, conn.requester, self._shares)
        conn.counted.enter_thread()
        self.begun.append(next(key for key, found in self.connections.items() if found is conn))

    def arrives(self, key: str, host: str = "192.0.2.1", path: str = "/") -> None:
        ours, self.clients[key] = socket.socketpair()
        client: Any = (host, 1)
        conn = self.connections[key] = Connection(Config(), ClientSocket(ours, Pace(60, 1)), client, ("192.0.2.2", 2))
        conn.sock.received += f"GET {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        self.admit(conn)

    def thread_ends(self, key: str) -> None:
        counted = self.connections[key].counted
        assert counted is not None
        counted.leave_thread()


@pytest.fixture
def admission(monkeypatch: pytest.MonkeyPatch) -> Iterator[Admission]:
    monkeypatch.setattr(thread_budgets, "requesters", RequesterShares(2, 2))
    monkeypatch.setattr(connections, "MAX_TURNS_KEPT", 1)
    found = Admission()
    yield found
    for conn in found.connections.values():
        conn.close()
    for client in found.clients.values():
        client.close()
    found.method_queue.close()


def test_no_new_key_of_an_address_passes_one_that_waits(admission: Admission) -> None:
    for key in ("first", "second", "third"):
        admission.arrives(key)
    assert admission.begun == ["first", "second"]
    admission.thread_ends("first")
    admission.arrives("made up")  # before the event loop knows of the free thread
    assert admission.begun == ["first", "second", "third"]
    admission.thread_ends("second")
    admission.method_queue.run_callbacks(None)
    assert admission.begun == ["first", "second", "third", "made up"]


def test_a_request_that_makes_room_for_others_is_answered(admission: Admission) -> None:
    """Not only closed: the client would ask again at once."""
    for key in ("first", "second", "third", "fourth"):
        admission.arrives(key)
    admission.nr_conns = 4
    admission._make_room()
    answer = admission.clients["third"].recv(1000)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 5\r\n" in answer
    assert b"More requests of yours wait for their turn than there are places for. Send fewer at once" in answer
    assert admission.clients["third"].recv(1) == b""
    assert admission.nr_conns == 3


def test_no_turn_is_looked_for_while_the_budget_is_used_up(
    admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When hundreds of servers wait, looking at each of them for each thread that becomes free takes most of the
    CPU."""
    calls = Calls(1, 5)
    monkeypatch.setattr(thread_budgets, "calls", calls)
    admission.arrives("running", "192.0.2.1")
    calls.add(1)
    for number in range(2, 5):
        admission.arrives(f"waiting {number}", f"192.0.2.{number}")
    looked, look = list[bool](), admission._turns.next

    def counted_look(*arguments: Any) -> Connection | None:
        looked.append(True)
        return look(*arguments)

    monkeypatch.setattr(admission._turns, "next", counted_look)
    admission.thread_ends("running")
    admission.method_queue.run_callbacks(None)
    assert admission.begun == ["running"]
    assert looked == []

    calls.add(-1)
    admission._begin_turns()
    assert admission.begun == ["running", "waiting 2", "waiting 3", "waiting 4"]


def test_a_poll_gets_its_turn_while_the_budget_for_calls_is_used_up(
    admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("first", "second"):
        admission.arrives(key)
    calls = Calls(1, 5)
    monkeypatch.setattr(thread_budgets, "calls", calls)
    calls.add(1)
    admission.arrives("call", "192.0.2.2")
    admission.arrives("poll", path="/api/servers/self/plan?since=1&wait=25")  # beyond the share of its address
    assert admission.begun == ["first", "second"]

    admission.thread_ends("first")
    admission.method_queue.run_callbacks(None)
    assert admission.begun == ["first", "second", "poll"]
