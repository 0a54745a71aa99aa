"""Request bodies that are broken, cut, too long or too slow, over real sockets: refused on every route, never used."""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from app.config.settings import MIB
from app.storage.embedded_server import StorageAccess
from tests.app.uploads.raw.live import Gunicorn, World, world_on_sqlite

pytestmark = pytest.mark.slow
TIMEOUT = 3.0  # seconds, SLIPWAY_BODY_TIMEOUT of this server

# One JSON call of each API, a form that anybody may send, and an archive.
JSON_CALLS = {
    "partners": "POST /api/partners/games",
    "v1": "POST /api/v1/games",
    "servers": "POST /api/servers/self/reports",
}
FORMS = {"sign-in": "POST /sign-in"}
UPLOAD = {"upload": "PUT /api/partners/games/{slug}/upload"}
ROUTES = JSON_CALLS | FORMS | UPLOAD


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path, storage: StorageAccess) -> Iterator[World]:
    instance = tmp_path_factory.mktemp("bodies")
    with world_on_sqlite(instance / "instance", empty_sqlite, storage, SLIPWAY_BODY_TIMEOUT=str(TIMEOUT)) as world:
        yield world


@pytest.fixture(scope="module")
def gunicorn(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    server = Gunicorn(world.settings, tmp_path_factory.mktemp("log") / "gunicorn.log").start()
    yield server
    server.kill()
    log = server.log.read_text()
    assert "Traceback" not in log, "nothing that a client sends is a fault of ours"


@pytest.fixture(scope="module")
def slug(world: World) -> str:
    return world.new_game()


class Sending:
    """A request whose body is the test's to send, and its answer."""

    def __init__(self, world: World, gunicorn: Gunicorn, slug: str, route: str, framing: str) -> None:
        method, path = ROUTES[route].format(slug=slug).split()
        types = {"sign-in": "application/x-www-form-urlencoded", "upload": "application/gzip"}
        token = world.server_token if route == "servers" else world.key
        self.is_page = route in FORMS
        self.socket = socket.create_connection(("127.0.0.1", gunicorn.port), timeout=30)
        self.socket.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{gunicorn.port}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: {types.get(route, 'application/json')}\r\n{framing}\r\n\r\n".encode()
        )

    def send(self, data: bytes) -> Sending:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has answered already
            self.socket.sendall(data)
        return self

    def end(self) -> Sending:
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def refusal(self) -> tuple[int, str]:
        """Status and text of the answer, which is a page or an envelope as its path promises, and closes the
        connection."""
        with self.socket:
            raw = b"".join(iter(lambda: self.socket.recv(65536), b""))
        head, _, body = raw.partition(b"\r\n\r\n")
        assert b"\r\nconnection: close\r\n" in head.lower()
        text = body.decode()
        if not self.is_page:
            found = json.loads(body)
            text = found["error"]["message"] if isinstance(found["error"], dict) else found["message"]
        else:
            assert b"text/html" in head
        return int(head.split()[1]), text


@pytest.mark.parametrize(
    "broken", [b"zzz\r\nmore\r\n", b"4\r\nfourXX", b"ffff\r\nshort", b"-1\r\n", b""], ids=lambda sent: repr(sent)[2:-1]
)
@pytest.mark.parametrize("route", ROUTES)
def test_broken_chunks_are_refused(world: World, gunicorn: Gunicorn, slug: str, route: str, broken: bytes) -> None:
    sending = Sending(world, gunicorn, slug, route, "Transfer-Encoding: chunked")
    status, text = sending.send(b'9\r\n{"title":\r\n' + broken).end().refusal()
    assert status == 400
    assert "ended after" in text


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_shorter_than_it_announced_is_refused(world: World, gunicorn: Gunicorn, slug: str, route: str) -> None:
    """What came would have been a whole request by itself."""
    whole = json.dumps({"title": "Cut", "slug": "cut", "developer": "-", "description": "-", "tags": ["Visual Novel"]})
    sending = Sending(world, gunicorn, slug, route, f"Content-Length: {len(whole) + 10}")
    status, text = sending.send(whole.encode()).end().refusal()
    assert status == 400
    assert f"ended after {len(whole)} of {len(whole) + 10} bytes: the connection closed" in text


@pytest.mark.parametrize("route", JSON_CALLS | FORMS)
@pytest.mark.parametrize("beyond", [1, 3 * MIB])
def test_a_chunked_body_over_the_limit_is_refused(
    world: World, gunicorn: Gunicorn, slug: str, route: str, beyond: int
) -> None:
    """Its first part is valid: a limit that only cuts would have used it."""
    chunk = b'{"slug": "big"}' + b" " * (MIB - 15 + beyond)
    sending = Sending(world, gunicorn, slug, route, "Transfer-Encoding: chunked")
    status, _ = sending.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(chunk), chunk)).refusal()
    assert status == 413


def test_clients_that_stall_are_given_up(
    world: World, gunicorn: Gunicorn, slug: str, subtests: pytest.Subtests
) -> None:
    """All at once: each waits as long as the server does."""
    stalled = {
        (route, framing): Sending(world, gunicorn, slug, route, framing).send(b'8\r\n{"title"')
        for route in ROUTES
        for framing in ("Content-Length: 3000", "Transfer-Encoding: chunked")
    }
    for (route, framing), sending in stalled.items():
        with subtests.test(route=route, framing=framing):
            status, text = sending.refusal()
            assert status == 400
            assert "ended after" in text


def test_clients_that_drip_are_given_up_as_well(
    world: World, gunicorn: Gunicorn, slug: str, subtests: pytest.Subtests
) -> None:
    """A byte now and then does not prolong the time: a small body has TIMEOUT in all, a large one must keep a rate."""
    framings = ("Content-Length: 3000", "Content-Length: 20000000", "Transfer-Encoding: chunked")
    dripping = {framing: Sending(world, gunicorn, slug, "upload", framing).send(b"7d0\r\n") for framing in framings}
    unanswered = {sending.socket: sending for sending in dripping.values()}
    began = time.monotonic()
    while unanswered and time.monotonic() - began < 20:
        for answered in select.select(list(unanswered), [], [], 0.2)[0]:
            del unanswered[answered]
        for sending in unanswered.values():
            sending.send(b"x")
    for framing, sending in dripping.items():
        with subtests.test(framing=framing):
            status, text = sending.refusal()
            assert status == 400
            assert re.search(r"ended after \d+ (of [\d,]+ )?bytes: only \d+ bytes came in 3 seconds", text)


def test_what_was_refused_was_not_used(world: World, gunicorn: Gunicorn) -> None:
    """Runs last: no game came of all that was sent above."""
    answer = urllib3.request(
        "GET", f"{gunicorn.address}/api/partners/games", headers={"Authorization": f"Bearer {world.key}"}
    )
    assert [game["slug"] for game in answer.json()["games"] if game["slug"] in {"cut", "big"}] == []
