"""Memory does not depend on the size of what is sent: measured at the peak of the process that receives it."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from app.config.settings import MIB
from app.storage.embedded_server import StorageAccess
from tests.app.uploads.raw.live import Gunicorn, World, world_on_sqlite
from tests.conftest import bearer
from tests.game_archives import add_file

pytestmark = pytest.mark.slow
MOST = 120 * MIB


@pytest.fixture
def world(tmp_path: Path, empty_sqlite: Path, storage: StorageAccess) -> Iterator[World]:
    with world_on_sqlite(tmp_path / "instance", empty_sqlite, storage) as world:
        yield world


@pytest.fixture
def gunicorn(world: World, tmp_path: Path) -> Iterator[Gunicorn]:
    server = Gunicorn(world.settings, tmp_path / "gunicorn.log").start()
    yield server
    server.kill()


def packed(folder: Path, size: int) -> Path:
    """A game of `size` bytes that do not compress."""
    path = folder / f"game-{size}.tar.gz"
    block = random.Random(1).randbytes(MIB)
    with gzip.open(path, "wb", compresslevel=0) as file, tarfile.open(fileobj=file, mode="w|") as tar:
        for directory in ("", "/game", "/lib", "/lib/linux-x86_64", "/renpy"):
            member = tarfile.TarInfo(f"PaperLanterns-1.0{directory}")
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        add_file(tar, "PaperLanterns-1.0/paper-lanterns.sh", b"#!/bin/sh\n", 0o755)
        for number in range(size // MIB // 10):
            member = tarfile.TarInfo(f"PaperLanterns-1.0/game/images-{number}.rpa")
            member.size = 10 * MIB
            tar.addfile(member, io.BytesIO(block * 10))
    return path


def status(pid: int, field: str) -> int:
    """A size in /proc/<pid>/status, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024


def test_what_is_received_is_not_held_in_memory(world: World, gunicorn: Gunicorn, tmp_path: Path) -> None:
    idle = status(gunicorn.worker, "VmRSS")
    path = packed(tmp_path, 3 * MOST)
    with path.open("rb") as body:
        answer = urllib3.request(
            "PUT",
            f"{gunicorn.address}/api/partners/games/{world.new_game()}/upload",
            body=body,
            headers=bearer(world.key)
            | {"Content-Type": "application/gzip", "Content-Length": str(path.stat().st_size)},
            timeout=120,
            retries=False,
        )
    assert answer.status == 200, answer.data
    most = status(gunicorn.worker, "VmHWM")
    assert most <= idle + MOST, f"{idle / MIB:.0f} MiB idle, {most / MIB:.0f} MiB at most"
