"""What a thread does with a request that breaks the rules of HTTP, whoever sent it."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config

from app.runtime.web_server.client_socket import ClientSocket
from app.runtime.web_server.connection_worker import ConnectionWorker
from app.runtime.web_server.connections import Connection
from app.runtime.web_server.transfer_pace import Pace


@pytest.fixture
def ends() -> Iterator[tuple[ClientSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    sock = ClientSocket(ours, Pace(60, 1))
    sock.received += b"GET / HTTP/1.1\r\nHost : here\r\n\r\n"
    yield sock, theirs
    sock.close()
    theirs.close()


def handle(sock: ClientSocket, client: Any) -> bool | None:
    worker = ConnectionWorker(1, 1, [], BaseApplication, 30, Config(), logging.getLogger("gunicorn.error"))
    return worker.handle(Connection(Config(), sock, client, ("192.0.2.2", 2)))


def test_a_malformed_request_is_answered_on_a_unix_socket_too(ends: tuple[ClientSocket, socket.socket]) -> None:
    sock, theirs = ends
    assert handle(sock, "") is False
    assert theirs.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_a_malformed_request_of_a_client_that_is_gone_is_no_error_of_ours(
    ends: tuple[ClientSocket, socket.socket],
) -> None:
    sock, theirs = ends
    theirs.close()
    assert handle(sock, ("192.0.2.1", 1)) is False
