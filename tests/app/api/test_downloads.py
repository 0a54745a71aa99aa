"""Downloads of builds with the clients of scripts: none sends the key to storage, and each gets the bytes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from flask import Flask

from app.limits import thread_budgets
from tests.app.api.calling import GAMES, Script, body, refused
from tests.game_archives import game_archive
from tests.live_server import LiveServer

DOWNLOAD = f"{GAMES}/paper-lanterns/builds/1/download"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def archive(script: Script) -> bytes:
    script.register()
    data = game_archive(payload=bytes(range(256)) * 2000)
    body(script.send(data))
    return data


@pytest.fixture
def live(app: Flask) -> Iterator[LiveServer]:
    server = LiveServer(app)
    server.start()
    yield server
    server.stop()


def test_pythons_urllib_gets_the_bytes(live: LiveServer, script: Script, archive: bytes) -> None:
    wanted = urllib.request.Request(live.url + DOWNLOAD, headers={"Authorization": f"Bearer {script.key}"})
    with urllib.request.urlopen(wanted, timeout=60) as answer:
        assert answer.read() == archive
        assert answer.url == live.url + DOWNLOAD, "nobody was sent on with the key"


@pytest.mark.parametrize(
    "command",
    [
        ["curl", "-sSfL", "-o", "FILE", "-H", "AUTH", "URL"],
        ["curl", "-sSfL", "-o", "FILE", "-H", "AUTH", "-r", "0-", "URL"],
        ["wget", "-q", "-O", "FILE", "--header", "AUTH", "URL"],
    ],
    ids=["curl", "curl with a range", "wget"],
)
def test_command_line_clients_get_the_bytes(
    live: LiveServer, script: Script, archive: bytes, tmp_path: Path, command: list[str]
) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    file = tmp_path / "game.tar.gz"
    words = {"FILE": str(file), "AUTH": f"Authorization: Bearer {script.key}", "URL": live.url + DOWNLOAD}
    subprocess.run([words.get(part, part) for part in command], check=True, timeout=60)
    assert file.read_bytes() == archive


def test_json_gives_an_address_that_needs_no_key(script: Script, archive: bytes) -> None:
    answer = script.ask("GET", DOWNLOAD, {"Accept": "application/json"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert urllib3.request("GET", body(answer)["url"]).data == archive


def test_head_tells_size_and_version_without_bytes(script: Script, archive: bytes) -> None:
    answer = script.ask("HEAD", DOWNLOAD)
    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) == len(archive)
    assert answer.headers["ETag"] == f'"{hashlib.sha256(archive).hexdigest()}"'
    assert answer.headers["Content-Disposition"] == 'attachment; filename="paper-lanterns-1.tar.gz"'
    assert script.ask("HEAD", DOWNLOAD, {"Accept": "application/json"}).status_code == 200


def test_a_download_goes_on_where_it_stopped(script: Script, archive: bytes) -> None:
    etag = script.ask("HEAD", DOWNLOAD).headers["ETag"]
    rest = script.ask("GET", DOWNLOAD, {"Range": "bytes=1000-", "If-Range": etag})
    assert (rest.status_code, rest.data) == (206, archive[1000:])
    assert rest.headers["Content-Range"] == f"bytes 1000-{len(archive) - 1}/{len(archive)}"
    other = script.ask("GET", DOWNLOAD, {"Range": "bytes=1000-", "If-Range": '"other"'})
    assert (other.status_code, other.data) == (200, archive)
    outside = script.ask("GET", DOWNLOAD, {"Range": f"bytes={len(archive)}-"})
    refused(outside, 416, "range_not_satisfiable")
    assert outside.headers["Content-Range"] == f"bytes */{len(archive)}"
    assert script.ask("GET", DOWNLOAD, {"If-None-Match": etag}).status_code == 304


def test_an_archive_larger_than_one_request_to_storage_is_whole(
    script: Script, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.partners.build_download._RANGE_BYTES", 1000)
    assert script.ask("GET", DOWNLOAD).data == archive


def test_each_download_uses_one_place_until_it_ends(script: Script, archive: bytes) -> None:
    answers = [script.ask("GET", DOWNLOAD, buffered=False) for _ in range(thread_budgets.downloads.half)]
    full = script.ask("GET", DOWNLOAD)
    assert "downloads" in refused(full, 503, "service_unavailable")
    assert full.headers["Retry-After"]
    for answer in answers:
        answer.close()
    assert thread_budgets.downloads.in_use == 0
    assert script.ask("GET", DOWNLOAD).data == archive


def test_a_build_without_its_archive_is_not_found(app: Flask, script: Script, archive: bytes) -> None:
    bucket = app.extensions["slipway_bucket"]
    bucket.delete([found.key for found in bucket.objects("archives/")])
    refused(script.ask("GET", DOWNLOAD), 404, "not_found")
