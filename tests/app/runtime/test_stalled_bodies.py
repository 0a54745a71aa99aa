"""Sixty connections that announce a body and send none, on a JSON call: others notice nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import urllib3

from app.storage.embedded_server import StorageAccess
from tests.app.api.json_calls import UNLIMITED, JsonCall, fill_partner, json_calls
from tests.app.uploads.raw.live import Gunicorn, World, world_on_sqlite
from tests.conftest import bearer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # a second for each call there is

CONNECTIONS = 60  # more than the pool of the database has
TIMEOUT = 1.0  # seconds, SLIPWAY_BODY_TIMEOUT of this server


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path, storage: StorageAccess) -> Iterator[World]:
    """With the partner of json_calls beside its own."""
    instance = tmp_path_factory.mktemp("stalled") / "instance"
    with world_on_sqlite(instance, empty_sqlite, storage, SLIPWAY_BODY_TIMEOUT=str(TIMEOUT)) as world:
        yield world


@pytest.fixture(scope="module")
def calls(world: World) -> list[JsonCall]:
    with world.app.app_context():
        rows = fill_partner()
        found = [call for call in json_calls(world.app, rows) if not call.call.raw_body]
    # What deletes comes last, and the game itself after what is below it.
    return sorted(found, key=lambda call: (call.method == "DELETE", -len(call.path)))


@pytest.fixture(scope="module")
def gunicorn(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    log = tmp_path_factory.mktemp("log") / "gunicorn.log"
    cookie = world.settings.cookie_name
    server = Gunicorn(world.settings, log, SLIPWAY_COOKIE_NAME=cookie, **UNLIMITED).start()
    yield server
    server.kill()
    assert "Traceback" not in log.read_text(), "nothing that a client sends is a fault of ours"


class Other:
    """Another partner, who calls now and then."""

    def __init__(self, world: World, gunicorn: Gunicorn) -> None:
        self._url, self._headers = f"{gunicorn.address}/api/partners/games", bearer(world.key)
        self._http = urllib3.PoolManager(retries=False, timeout=20)

    def seconds(self) -> float:
        """How long a call of theirs takes."""
        begun = time.monotonic()
        answer = self._http.request("GET", self._url, headers=self._headers)
        assert answer.status == 200, answer.data
        return time.monotonic() - begun


def begin(gunicorn: Gunicorn, call: JsonCall) -> socket.socket:
    """A request whose body does not come."""
    connection = socket.create_connection(("127.0.0.1", gunicorn.port), timeout=20)
    headers = "".join(f"{name}: {value}\r\n" for name, value in call.headers.items())
    connection.sendall(
        f"{call.method} {call.path} HTTP/1.1\r\nHost: 127.0.0.1:{gunicorn.port}\r\n{headers}"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n".encode()
    )
    return connection


def answered(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def one_of_each_kind(calls: list[JsonCall]) -> list[JsonCall]:
    """One call per kind of caller and method. A body is gathered before its path is looked at, so the others of a kind
    differ in nothing that is tried here."""
    return list({(call.call.security, call.method, call.call.body is None): call for call in calls}.values())


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["of each kind", "every"])
def test_others_are_served_while_sixty_connections_stall(
    world: World, gunicorn: Gunicorn, calls: list[JsonCall], subtests: pytest.Subtests, every: bool
) -> None:
    other = Other(world, gunicorn)
    assert sum(call.call.body is not None for call in calls) > 12
    other.seconds()
    for call in calls if every else one_of_each_kind(calls):
        with subtests.test(call=str(call)), ExitStack() as stack:
            usual = max(other.seconds() for _ in range(3))
            begun = time.monotonic()
            stalled = [stack.enter_context(begin(gunicorn, call)) for _ in range(CONNECTIONS)]
            slowest = other.seconds()
            while time.monotonic() < begun + TIMEOUT:
                slowest = max(slowest, other.seconds())
                threading.Event().wait(0.02)  # a quick machine would use up the key's calls of a minute
            answers = [answered(connection) for connection in stalled]
            took = time.monotonic() - begun
            slowest = max(slowest, other.seconds())
            statuses = {int(answer.split()[1]) for answer in answers}
            assert statuses <= {200, 201, 204, 302, 400, 404, 409, 429}
            if call.call.body:
                # 404: the upload of the calls for uploads without a game has one.
                assert statuses <= {400, 404, 429}, "of a body that did not come nothing is used"
            # Of a machine that other tests keep busy no call can be expected to be faster than without the stalled.
            assert slowest < max(1, 3 * usual), f"another partner's call took {slowest:.2f} s"
            # Then sixty answers, beside whatever else this machine does.
            assert took < TIMEOUT + max(5, CONNECTIONS * usual), f"the stalled ones ended after {took:.1f} s"
