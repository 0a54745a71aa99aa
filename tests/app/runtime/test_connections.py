"""Connections that are used for more than one request: none is closed under the next one, and none lies about it."""

from __future__ import annotations

import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

from app.config.settings import MIB
from app.storage.embedded_server import StorageAccess
from tests.app.uploads.raw.live import Gunicorn, World, world_on_sqlite
from tests.conftest import bearer

pytestmark = pytest.mark.slow
HEAD_SECONDS = 2.0  # SLIPWAY_HEADER_TIMEOUT of this server


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path, storage: StorageAccess) -> Iterator[World]:
    instance = tmp_path_factory.mktemp("connections")
    rates = {"SLIPWAY_API_RATE": "100000 per minute"}
    with world_on_sqlite(instance / "instance", empty_sqlite, storage, **rates) as world:
        yield world


@pytest.fixture(scope="module")
def gunicorn(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    server = Gunicorn(world.settings, tmp_path_factory.mktemp("log") / "gunicorn.log")
    yield server.start(SLIPWAY_HEADER_TIMEOUT=str(HEAD_SECONDS))
    server.kill()


@contextmanager
def both_cores_busy() -> Iterator[None]:
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def once_each(gunicorn: Gunicorn, world: World, pauses: list[float]) -> list[int]:
    """Two POSTs over one connection each, with a pause between them. The statuses of the second ones."""

    def post_twice(pause: float) -> int:
        with urllib3.HTTPConnectionPool("127.0.0.1", gunicorn.port, maxsize=1, retries=False, timeout=60) as pool:
            for wait in (0.0, pause):
                threading.Event().wait(wait)  # an idle connection is what is tried
                answer = pool.request("POST", "/api/partners/games", headers=bearer(world.key), json={})
            assert pool.num_connections == 1, "it was the same connection"
            return answer.status

    with ThreadPoolExecutor(len(pauses)) as threads:
        return list(threads.map(post_twice, pauses))


def test_no_post_is_lost_on_a_connection_that_was_idle(gunicorn: Gunicorn, world: World) -> None:
    """Around the 5 s of the server before, and the limit for headers, which must not count while nothing comes."""
    spread = random.Random(1)
    limits = [HEAD_SECONDS, 5.0, 6.0]
    pauses = [spread.choice(limits) + spread.uniform(-0.5, 0.5) for _ in range(150)]
    with both_cores_busy():
        assert once_each(gunicorn, world, pauses) == [400] * 150


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_no_post_is_lost_when_a_proxy_kept_its_connection_as_long_as_it_may(gunicorn: Gunicorn, world: World) -> None:
    """nginx keeps its own for 60 s, others for 75 s; none may be closed before by us, nor for long after."""
    spread = random.Random(2)
    pauses = [spread.choice([10.0, 60.0, 75.0, 120.0]) + spread.uniform(-1, 1) for _ in range(300)]
    with both_cores_busy():
        assert once_each(gunicorn, world, pauses) == [400] * 300


def test_after_a_refused_body_the_pool_goes_on(gunicorn: Gunicorn, world: World) -> None:
    """The refusal says that the connection closes; before, the next call on it failed or was answered with nonsense."""
    for path, headers in (
        ("/api/partners/games", bearer(world.key)),
        ("/api/v1/games", bearer(world.key)),
        ("/sign-in", {}),
    ):
        with urllib3.HTTPConnectionPool("127.0.0.1", gunicorn.port, maxsize=1, retries=False, timeout=60) as pool:
            for _ in range(50 if path == "/api/partners/games" else 10):
                refused = pool.request("POST", path, body=b" " * (3 * MIB), headers=headers)
                assert refused.status == 413
                assert refused.headers["Connection"] == "close"
                assert pool.request("GET", "/healthz").status == 200


def test_a_refusal_of_a_small_body_keeps_the_connection(gunicorn: Gunicorn, world: World) -> None:
    """All of it has arrived, so there is nothing that could be taken for the next request."""
    with urllib3.HTTPConnectionPool("127.0.0.1", gunicorn.port, maxsize=1, retries=False, timeout=60) as pool:
        for _ in range(5):
            refused = pool.request("POST", "/api/partners/games", json={"title": "x"}, headers=bearer("pp_unknown"))
            assert (refused.status, refused.headers["Connection"]) == (401, "keep-alive")
        assert pool.num_connections == 1


@pytest.mark.parametrize("size", [66_000, MIB - 1])
def test_a_body_that_nobody_asked_for_is_skipped_whatever_its_size(gunicorn: Gunicorn, world: World, size: int) -> None:
    """It has arrived whole. The answer says that the connection stays, so it does: before, the next call failed."""
    with urllib3.HTTPConnectionPool("127.0.0.1", gunicorn.port, maxsize=1, retries=False, timeout=60) as pool:
        for method, path, headers, status in (
            ("POST", "/api/partners/games", {}, 401),
            ("POST", "/nothing", {}, 404),
            ("GET", "/api/partners/games", bearer(world.key), 200),
        ):
            for body in (b"x" * size, iter([b"x" * 1000] * (size // 1000))):  # with its length, and in chunks
                answer = pool.request(method, path, body=body, headers=headers)
                assert (answer.status, answer.headers["Connection"]) == (status, "keep-alive")
                assert pool.request("GET", "/healthz").status == 200
        assert pool.num_connections == 1


def everything(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def ask(gunicorn: Gunicorn, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=30) as client:
        client.sendall(sent)
        return everything(client)


@pytest.mark.parametrize("size", [65 * 1024, MIB])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_a_refused_body_of_any_size_that_is_gathered_keeps_the_connection(
    gunicorn: Gunicorn, size: int, chunked: bool
) -> None:
    """A proxy sends everybody's requests over its connections: one that closes under the next request is a 502 for
    somebody else, and after it nginx leaves the whole server out for ten seconds."""
    with urllib3.HTTPConnectionPool("127.0.0.1", gunicorn.port, maxsize=1, retries=False, timeout=60) as pool:
        for _ in range(3):
            body = iter([b" " * size]) if chunked else b" " * size
            refused = pool.request("POST", "/api/partners/games", body=body, chunked=chunked, preload_content=True)
            assert (refused.status, refused.headers["Connection"]) == (401, "keep-alive")
            assert pool.request("GET", "/healthz").status == 200
        assert pool.num_connections == 1


def test_headers_that_do_not_come_are_refused_in_time(gunicorn: Gunicorn) -> None:
    began = time.monotonic()
    answer = ask(gunicorn, b"GET / HTTP/1.1\r\nHost: here\r\nX-Half: ")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"not complete within 2 seconds" in answer
    assert HEAD_SECONDS <= time.monotonic() - began < 20


def test_dripping_headers_do_not_prolong_their_time(gunicorn: Gunicorn) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=0.2) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nX-Half: ")
        answer = b""
        while not answer and time.monotonic() - began < 20:
            client.sendall(b"x")
            try:
                answer = client.recv(100)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),  # how TLS begins
        (b"GET / HTTP/1.1\nHost: here\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: here\r\nX-Long: " + b"x" * 70_000, 431),
        (b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_refused_at_once(gunicorn: Gunicorn, sent: bytes, status: int) -> None:
    began = time.monotonic()
    answer = ask(gunicorn, sent)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"onnection: close" in answer
    assert time.monotonic() - began < 10


def test_requests_sent_together_are_answered_in_order(gunicorn: Gunicorn) -> None:
    first = b"POST /nowhere HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\nhello"
    second = b"POST /nowhere HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    answer = ask(gunicorn, first + second + last)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"404", b"404", b"200"]


def test_a_request_that_comes_a_byte_at_a_time_is_answered(gunicorn: Gunicorn, world: World) -> None:
    sent = (
        f"POST /api/partners/games HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {world.key}\r\n"
        "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\nX-Trailer: 1\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=30) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in sent:
            client.sendall(bytes([byte]))
        assert everything(client).startswith(b"HTTP/1.1 400 ")


def test_an_expectation_is_met_once(gunicorn: Gunicorn, world: World) -> None:
    """A client that asks before it sends a small body gets its 100 without a thread, and one answer after it."""
    head = (
        f"POST /api/partners/games HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {world.key}\r\n"
        "Content-Type: application/json\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=30) as client:
        client.sendall(head)
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")
        assert everything(client).startswith(b"HTTP/1.1 400 ")
