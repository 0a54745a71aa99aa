"""Memory for making packs does not grow with the build: peaks of `flask packs make`."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from sqlalchemy import select

from app.accounts.actors import Actor
from app.config.settings import Settings
from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.uploads.raw.archive_receiver import receive_archive
from app.uploads.raw.incoming_body import IncomingBody
from tests.app.packing.scenes import LAUNCHER, TOP, edited, ready_pack, update_of
from tests.app.uploads.raw.live import environment_of
from tests.conftest import ROOT
from tests.game_archives import add_file

MIB = 2**20
SCRIPT = Actor("a script")
MEASURED = r"""
import atexit, pathlib, re, runpy
atexit.register(lambda: print("peak", re.search(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[1]))
runpy.run_module("flask", run_name="__main__", alter_sys=True)
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


def write_archive(path: Path, size: int, engine: bytes) -> None:
    """A game with one large file of `size` bytes, thousands of small ones, and an engine."""
    with gzip.open(path, "wb", compresslevel=0) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        add_file(tar, f"{TOP}/{LAUNCHER}", b"#!/bin/sh\n", 0o755)
        large = tarfile.TarInfo(f"{TOP}/game/images.rpa")
        large.size = size
        with Path("/dev/urandom").open("rb") as chance:
            tar.addfile(large, chance)
        for number in range(3000):
            add_file(tar, f"{TOP}/game/small/{number}", f"{number}\n".encode() * 300)
        add_file(tar, f"{TOP}/lib/linux-x86_64/engine", engine)


def publish(slug: str, path: Path) -> Build:
    free_connection()
    game = db.session.scalars(select(Game).where(Game.slug == slug)).one()
    with path.open("rb") as stream:
        return receive_archive(game, IncomingBody(stream, path.stat().st_size, path.stat().st_size), SCRIPT).build


@pytest.mark.parametrize("size", [128, pytest.param(512, marks=pytest.mark.soak)], ids="{} MiB".format)
def test_the_peak_is_bounded(game: Game, settings: Settings, tmp_path: Path, size: int) -> None:
    slug, engine = game.slug, os.urandom(6 * MIB)
    builds = []
    for content in (engine, edited(engine)):
        write_archive(tmp_path / "game.tar.gz", size * MIB, content)
        builds.append(publish(slug, tmp_path / "game.tar.gz"))
    free_connection()

    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "--app", "wsgi", "packs", "make"],
        cwd=ROOT,
        env=os.environ | environment_of(settings),
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert all(ready_pack(build).pack_bytes > size * MIB for build in builds)
    way = update_of(builds[0], builds[1]) or update_of(builds[1], builds[0])
    assert way is not None
    peak = int(done.stdout.rpartition("peak ")[2]) / 1024
    print(f"peak {peak:.0f} MiB for {size} MiB")  # noqa: T201 - for the log of a failed run
    assert peak < 500
