"""Errors of requests that never reach the app: under /api they are JSON in the envelope of the API, as all others."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.runtime.web_server.early_errors import early_response, path_in
from app.storage.embedded_server import StorageAccess
from tests.app.uploads.raw.live import Gunicorn, world_on_sqlite

pytestmark = pytest.mark.slow
HOST = b"Host: here\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def gunicorn(
    tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path, storage: StorageAccess
) -> Iterator[Gunicorn]:
    folder = tmp_path_factory.mktemp("early")
    with world_on_sqlite(folder / "instance", empty_sqlite, storage) as world:
        server = Gunicorn(world.settings, folder / "gunicorn.log")
        yield server.start(SLIPWAY_HEADER_TIMEOUT="2")
        server.kill()


def ask(gunicorn: Gunicorn, sent: bytes) -> tuple[int, str, bytes]:
    """Status, content type and body of the answer."""
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=60) as client:
        client.sendall(sent)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    found = re.search(rb"\r\ncontent-type: ([^;\r]*)", head, re.IGNORECASE)
    assert found, head
    return int(head.split()[1]), found[1].decode(), body


# Request lines and headers; PATH is replaced.
REQUESTS = [
    (b"GET PATH?%s HTTP/1.1\r\n" % (b"x" * 5000), 414),
    (b"GET PATH HTTP/1.1\r\nX-Long: %s\r\n" % (b"x" * 9000), 431),
    (b"GET PATH HTTP/1.1\r\nX-Long: %s\r\n" % (b"x" * 70_000), 431),
    (b"get PATH HTTP/1.1\r\n", 400),
    (b"G@T PATH HTTP/1.1\r\n", 400),
    (b"FETCH PATH HTTP/1.1\r\n", 405),
    (b"GET PATH HTTP/3.9\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nBad header\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nContent-Length: five\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nExpect: the moon\r\n", 417),
    (b"GET PATH/\xff HTTP/1.1\r\n", 400),
    (b"GET /PATH/a/b/c/d HTTP/1.1\r\n", 404),
    (b"GET http://herePATH?%s HTTP/1.1\r\n" % (b"x" * 5000), 414),
]


@pytest.mark.parametrize(("request_", "status"), REQUESTS)
@pytest.mark.parametrize("path", ["/api/partners/games", "/api/v1/games", "/api/servers/self/plan"])
def test_every_error_has_the_envelope(gunicorn: Gunicorn, path: str, request_: bytes, status: int) -> None:
    found, content_type, body = ask(gunicorn, request_.replace(b"PATH", path.encode()) + HOST)
    assert (found, content_type) == (status, "application/json"), body
    problem = json.loads(body)
    if path.startswith("/api/v1"):
        assert list(problem) == ["error"]
        assert set(problem["error"]) == {"code", "message"}
        assert problem["error"]["code"].isupper()
    else:
        assert set(problem) == {"error", "message"}


@pytest.mark.parametrize("path", [b"/api//partners/games", b"/api/v1//games"])
def test_repeated_slashes_are_redirected_with_the_envelope(gunicorn: Gunicorn, path: bytes) -> None:
    status, content_type, body = ask(gunicorn, b"GET %s HTTP/1.1\r\n" % path + HOST)
    assert (status, content_type) == (308, "application/json")
    assert b"repeated slashes" in body


def test_headers_that_do_not_come_have_it_too(gunicorn: Gunicorn) -> None:
    status, content_type, body = ask(gunicorn, b"GET /api/v1/games HTTP/1.1\r\nHost: ")
    assert (status, content_type) == (408, "application/json")
    assert json.loads(body)["error"]["code"] == "REQUEST_TIMEOUT"


def test_a_page_gets_no_json(gunicorn: Gunicorn) -> None:
    status, content_type, body = ask(gunicorn, b"GET /games?" + b"x" * 5000 + b" HTTP/1.1\r\n" + HOST)
    assert (status, content_type) == (414, "text/plain")
    assert b"4,094 bytes" in body


@pytest.mark.parametrize(
    ("head", "path"),
    [
        (b"GET /api/v1/games?key=x HTTP/1.1", "/api/v1/games"),
        (b"\r\nGET   //api/v1 HTTP/1.1", "//api/v1"),
        (b"GET https://slipway.example:8000/api/v1#x HTTP/1.1", "/api/v1"),
        (b"OPTIONS * HTTP/1.1", ""),
        (b"\x16\x03\x01", ""),
        (b"", ""),
    ],
)
def test_the_path_is_found_in_the_first_bytes(head: bytes, path: str) -> None:
    assert path_in(head) == path


def test_what_the_request_said_is_not_in_the_answer() -> None:
    answer = early_response(b"GET /api/v1/games?token=s3cr3t HTTP/1.1\r\nAuthorization: Bearer s3cr3t", 414, "Long.")
    assert b"s3cr3t" not in answer
