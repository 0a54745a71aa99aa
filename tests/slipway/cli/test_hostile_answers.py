"""Answers of a hostile or foreign platform and storage: each ends a command with a message and leaves other files
alone."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from slipway.cli.exit_codes import ExitCode
from tests.slipway.cli.cli_process import Slipway

ARCHIVE = b"an archive"
COMMANDS = (
    ("games",),
    ("builds", "g"),
    ("releases", "g"),
    ("status", "g"),
    ("diff", "g", "2"),
    ("download", "g", "1"),
    ("release", "g", "1", "--yes"),
    ("watch", "g"),
)


class Stranger:
    """Answers every call with `documents[path]`, or with `otherwise`; `object` is for /storage."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.otherwise: Any = {}
        self.object = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._listening.accept()
                Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (piece := connection.recv(65536)):
                    return
                head += piece
            path = head.split(b" ")[1].decode().partition("?")[0].removeprefix("/api/partners")
            if path == "/storage":
                connection.sendall(self.object)
                return
            body = json.dumps(self.documents.get(path, self.otherwise)).encode()
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    server = Stranger()
    yield server
    server.close()


@pytest.fixture
def slipway(stranger: Stranger, tmp_path: Path) -> Slipway:
    return Slipway(tmp_path / "home", {"SLIPWAY_URL": stranger.url, "SLIPWAY_KEY": "pp_key"})


@pytest.fixture
def offer(stranger: Stranger) -> Callable[..., None]:
    """Let the stranger have build 1 of the game g."""

    def offered(answer: bytes | None = None, slug: str = "g", **build: Any) -> None:
        checksum = f"sha256:{sha256(ARCHIVE).hexdigest()}"
        stranger.documents = {
            "/games": {"games": [{"slug": slug}]},
            "/games/g/builds/1": {"size": len(ARCHIVE), "checksum": checksum} | build,
            "/games/g/builds/1/download": {"url": f"{stranger.url}/storage"},
        }
        stranger.object = answer or (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(ARCHIVE), ARCHIVE)
        )

    return offered


@pytest.mark.parametrize(
    "answer", [{}, {"games": None, "builds": 3, "uploads": [None], "releases": [{}], "size": "x", "changes": "y"}]
)
def test_another_programs_json_is_said_to_be_that(stranger: Stranger, slipway: Slipway, answer: object) -> None:
    stranger.otherwise = answer
    for command in COMMANDS:
        done = slipway(*command, "--json")
        assert "Traceback" not in done.err, command
        assert done.code == ExitCode.UNEXPECTED, command
        assert "Check that --url is the address of a Slipway platform" in done.result["message"], command


@pytest.mark.parametrize("checksum", ["sha256:../../../../etc/x", "x", "sha256:" + "\x1b[31m" * 20, ""])
def test_a_checksum_names_no_file_elsewhere(
    offer: Callable[..., None], slipway: Slipway, tmp_path: Path, checksum: str
) -> None:
    offer(checksum=checksum)
    folder = tmp_path / "here"
    folder.mkdir()
    done = slipway("download", "g", 1, "-o", folder / "a.tar.gz")
    assert done.code == ExitCode.UNEXPECTED
    assert "Traceback" not in done.err
    assert list(folder.iterdir()) == []


def test_a_slug_names_no_file_elsewhere(offer: Callable[..., None], slipway: Slipway, tmp_path: Path) -> None:
    offer(slug="../outside")
    (tmp_path / "here").mkdir()
    done = slipway("download", 1, "-o", tmp_path / "here")
    assert done.code == ExitCode.UNEXPECTED
    assert "slug '../outside'" in done.err
    assert {path.name for path in tmp_path.iterdir()} <= {"here", "home"}


@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "named pipe"])
def test_what_others_put_in_the_place_of_the_unfinished_file_is_not_written_to(
    offer: Callable[..., None], slipway: Slipway, tmp_path: Path, kind: str
) -> None:
    offer()
    victim, target = tmp_path / "victim", tmp_path / "a.tar.gz"
    victim.write_bytes(b"precious, and longer than the archive")
    planted = tmp_path / f".{target.name}.{sha256(ARCHIVE).hexdigest()[:16]}.part"
    if kind == "symbolic link":
        planted.symlink_to(victim)
    elif kind == "hard link":
        planted.hardlink_to(victim)
    else:
        os.mkfifo(planted)
    done = slipway("download", "g", 1, "-o", target)
    assert done.code != ExitCode.OK
    assert "Traceback" not in done.err
    assert planted.name in done.err
    assert victim.read_bytes() == b"precious, and longer than the archive"
    assert not target.exists()


def test_storage_with_fewer_bytes_than_the_build_is_told_at_once(
    offer: Callable[..., None], slipway: Slipway, tmp_path: Path
) -> None:
    offer(b"HTTP/1.1 416 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    done = slipway("download", "g", 1, "-o", tmp_path / "a.tar.gz")
    assert done.code == ExitCode.UNREACHABLE
    assert "it answered 416" in done.err


def test_an_archive_is_saved_as_it_is_stored(offer: Callable[..., None], slipway: Slipway, tmp_path: Path) -> None:
    """Also if storage calls it an encoding of something else."""
    offer(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
        % (len(ARCHIVE), ARCHIVE)
    )
    done = slipway("download", "g", 1, "-o", tmp_path / "a.tar.gz")
    assert done.code == ExitCode.OK, done
    assert (tmp_path / "a.tar.gz").read_bytes() == ARCHIVE
