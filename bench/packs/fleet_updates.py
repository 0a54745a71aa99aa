"""Packs in a whole installation: seconds from the release of an update and of a rollback to the build on a server, and
ten agents that install at once, beside ten programs that only read the same bytes, in ranges of 16 MiB."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import urllib3
from sqlalchemy import select

from app import create_app
from app.accounts.actors import Actor
from app.config.settings import load_settings
from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack
from app.data.models.server import Server
from app.fleet.servers import add_server
from app.storage.bucket import bucket
from bench.harness.bench_server import BenchServer, register_game, running_server, verdict
from bench.packs.install_floor import print_floor
from bench.packs.sample_games import CHANGES, MIB, TOP
from bench.packs.sample_games import Game as GameFolder
from slipway.agent.packs.index_files import read_index
from slipway.packs.format.index_decoding import decode_own_index
from tests.slipway.agent.agent_process import AgentProcess, ordinary_user

MEMORY = Path("/dev/shm")  # so that no disk is measured
SIZE = int(os.environ.get("SLIPWAY_BENCH_MIB", "1024")) * MIB
AGENTS = 10
AGENTS_SIZE = min(SIZE, 150 * MIB)
RAW_ROUNDS = 3  # one alone differs by a seventh from the next
READER = Path(__file__).with_name("raw_reader.py")
DEADLINE = 600.0


def run(directory: Path) -> bool:
    """Whether the targets were met. SLIPWAY_BENCH_MIB sets a smaller game, to try the bench itself."""
    # Each in a portal of its own: a server fetches every live build, also that of the other measurement.
    with _room(directory) as work:
        return min([_measured(work / "one", _one_server), _measured(work / "ten", _ten_servers)])


def _measured(work: Path, measure: Callable[[_Portal, Path], bool]) -> bool:
    stage_folder = work.with_name(f"{work.name}-stage")
    stage_folder.mkdir()
    try:
        with running_server(stage_folder) as stage:
            portal = _Portal(stage)
            with portal.app.app_context():
                return measure(portal, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(stage_folder, ignore_errors=True)


@contextmanager
def _room(directory: Path) -> Iterator[Path]:
    enough = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 9 * SIZE
    folder = (MEMORY if enough else directory) / f"{directory.name}-fleet"
    folder.mkdir()
    folder.chmod(0o755)  # the agent is another user
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _one_server(portal: _Portal, work: Path) -> bool:
    game = GameFolder(work / "v1", SIZE)
    changed = game.copy(work / "v2")
    CHANGES["one script"](game, changed)
    first = portal.publish("one", game.root, work)
    with portal.agents(work, 1) as (cache,):
        portal.release("one", first)
        _wait(lambda: _current(cache) == first, "the first build is on the server")
        second = portal.publish("one", changed, work)
        print(f"  a game of {SIZE // MIB} MiB, one script changed")
        met = _timed(portal, cache, second, "seconds from the release of the update to the build on the server", 1)
        return _timed(portal, cache, first, "seconds from the release to the rollback on the server", 2) and met


def _timed(portal: _Portal, cache: Path, build: int, what: str, limit: float) -> bool:
    started = time.perf_counter()
    portal.release("one", build)
    _wait(lambda: _current(cache) == build, f"build {build} is on the server")
    return verdict(what, time.perf_counter() - started, limit, least=False)


def _ten_servers(portal: _Portal, work: Path) -> bool:
    game = GameFolder(work / "v1", AGENTS_SIZE)
    build = portal.publish("ten", game.root, work)
    url, size = portal.pack("ten", build)
    _raw_seconds(url, size)  # storage reads the pack from its disk once; that is not what is measured
    with portal.agents(work, AGENTS) as caches:
        started = time.perf_counter()
        portal.release("ten", build)
        for cache in caches:  # one after another: looking at all of them each time would take processor time itself
            _wait(partial(_has, cache, build), "the build is on all servers")
        installed = time.perf_counter() - started
        index = decode_own_index(_encoded_index(caches[0]))
    print_floor(url, index, work)
    raw = median(_raw_seconds(url, size) for _ in range(RAW_ROUNDS))
    rates = [AGENTS * size / MIB / seconds for seconds in (installed, raw)]
    print(
        f"  {AGENTS} agents: {rates[0]:.0f} MiB/s of a pack of {size // MIB} MiB; only reading, in ranges of 16 MiB: "
        f"{rates[1]:.0f} MiB/s"
    )
    return verdict("as fast as only reading", rates[0] / rates[1], 0.6, least=True, unit=" times")


def _encoded_index(cache: Path) -> bytes:
    (path,) = (cache / ".slipway" / "whole").glob("*.index")
    encoded = read_index(path)
    assert encoded
    return encoded


def _raw_seconds(url: str, size: int) -> float:
    command = [sys.executable, str(READER)]
    readers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(AGENTS)
    ]
    for reader in readers:
        assert reader.stdin
        assert reader.stdout
        reader.stdin.write(f"{url} {size}\n")  # an address is a permission, so it is not an argument
        reader.stdin.flush()
        assert reader.stdout.readline() == "ready\n"
    started = time.perf_counter()
    for reader in readers:
        assert reader.stdin
        reader.stdin.write("\n")
        reader.stdin.flush()
    codes = [reader.wait(DEADLINE) for reader in readers]
    seconds = time.perf_counter() - started
    if any(codes):
        raise SystemExit("a reader failed")
    return seconds


def _current(cache: Path) -> int | None:
    """The number of the live build that is in the cache."""
    for link in cache.glob("*/current"):
        return int(link.readlink().parts[0])
    return None


def _has(cache: Path, build: int) -> bool:
    return _current(cache) == build


def _wait(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > until:
            raise SystemExit(f"not within {DEADLINE:.0f} s: {what}")
        time.sleep(0.01)


class _Portal:
    """The running portal, and an app of its own that looks into the same database."""

    def __init__(self, stage: BenchServer) -> None:
        self._stage = stage
        self._headers = {"Authorization": f"Bearer {stage.key}"}
        self.app = create_app(load_settings(stage.environment))

    def publish(self, slug: str, root: Path, work: Path) -> int:
        """Send a build of the folder `root` and wait for its pack. Returns its number."""
        if not self._states(slug):
            register_game(self._stage, slug, launcher=f"{TOP}.sh", autoRelease=False)
        archive = work / "game.tar.gz"
        subprocess.run(["tar", "-C", root, "--use-compress-program=gzip -1", "-cf", archive, TOP], check=True)
        headers = self._headers | {"Content-Type": "application/gzip", "Content-Length": str(archive.stat().st_size)}
        with archive.open("rb") as body:
            number = int(self._call("PUT", slug, "upload", headers=headers, body=body)["build"])
        archive.unlink()
        started = time.perf_counter()
        _wait(lambda: self._states(slug).get(number) == "ready", "the pack is ready")
        print(f"  the pack of build {number} was ready {time.perf_counter() - started:.1f} s after the upload")
        return number

    def release(self, slug: str, build: int) -> None:
        self._call("POST", slug, "releases", headers=self._headers, json={"build": build})

    def pack(self, slug: str, build: int) -> tuple[str, int]:
        """An address of the pack, and its bytes."""
        found = db.session.scalars(
            select(BuildPack)
            .join(Build, BuildPack.build_id == Build.id)
            .join(Game, Build.game_id == Game.id)
            .where(Game.slug == slug, Build.number == build)
        ).one()
        return str(bucket().agent_url(found.pack_key, timedelta(hours=1))), int(found.pack_bytes or 0)

    @contextmanager
    def agents(self, work: Path, count: int) -> Iterator[Sequence[Path]]:
        """Agents with empty caches that have reported once. They stop and their servers are retired in the end."""
        caches = []
        names = [f"{work.name}-{number:02}" for number in range(count)]
        with ExitStack() as stack:
            for name in names:
                folder = work / name
                folder.mkdir()
                _, token = add_server(name, "", Actor("bench"))
                user = ordinary_user(folder)  # files are only linked where the agent is not root
                agent = AgentProcess(self._stage.url, folder / "games", work / f"{name}.log", user=user, token=token)
                stack.callback(agent.wait, 60)
                stack.callback(agent.signal, signal.SIGTERM)
                caches.append(folder / "games")
            free_connection()
            _wait(lambda: self._reporting() >= set(names), "the agents have reported")
            yield caches

    def _reporting(self) -> set[str]:
        found = set(db.session.scalars(select(Server.id).where(Server.last_report_at.is_not(None))))
        free_connection()
        return found

    def _states(self, slug: str) -> dict[int, str]:
        """The states of the packs of a game's builds, by number."""
        rows = db.session.execute(
            select(Build.number, BuildPack.state)
            .join(BuildPack, BuildPack.build_id == Build.id)
            .join(Game, Build.game_id == Game.id)
            .where(Game.slug == slug)
        ).all()
        free_connection()
        return {row.number: row.state for row in rows}

    def _call(self, method: str, slug: str, rest: str, **options: Any) -> dict[str, Any]:
        url = f"{self._stage.url}/api/partners/games/{slug}/{rest}"
        answer = urllib3.request(method, url, timeout=DEADLINE, retries=False, **options)
        if answer.status not in {200, 201}:
            raise SystemExit(f"{method} {rest} of {slug}: {answer.status} {answer.data!r}")
        found: dict[str, Any] = answer.json()
        return found
