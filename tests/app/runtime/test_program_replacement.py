"""A new version takes over from the running one: SIGHUP under load, with an upload on its way and an agent at work.

The program runs from a copy of the sources, in which the tests change modules as a deployment does.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from app.storage.embedded_server import StorageAccess
from tests.app.runtime.processes import is_alive, tree, wait_until
from tests.app.uploads.raw.live import ROOT, Gunicorn, World, world_on_sqlite
from tests.app.uploads.raw.sending import RawUpload, upload
from tests.faults.agents import RealAgent
from tests.faults.packing import packed_game

pytestmark = pytest.mark.slow
REQUESTS = 500
CLIENTS = 4


class Deployed:
    """A portal that runs from a folder of its own."""

    def __init__(self, world: World, folder: Path) -> None:
        self.folder = folder / "program"
        shutil.copytree(ROOT / "app", self.folder / "app")
        shutil.copytree(ROOT / "migrations", self.folder / "migrations")
        shutil.copy(ROOT / "wsgi.py", self.folder)
        self.world = world
        self.gunicorn = Gunicorn(world.settings, folder / "gunicorn.log")
        self.gunicorn.folder = self.folder
        self.gunicorn.start()

    @property
    def log(self) -> str:
        return self.gunicorn.log.read_text()

    @property
    def pid(self) -> int:
        """The master that a signal goes to, as an operator finds it."""
        return int((self.world.settings.instance / f"web-{self.gunicorn.port}.pid").read_text())

    def change(self, module: str, before: str, after: str) -> None:
        path = self.folder / module
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def request_id(self) -> str:
        answer = urllib3.request("GET", f"{self.gunicorn.address}/livez", retries=False, timeout=20)
        assert answer.status == 200
        return answer.headers["X-Request-Id"]

    def is_new(self) -> bool:
        return all(self.request_id().startswith("new_") for _ in range(20))

    def close(self) -> None:
        for pid in (*tree(self.pid), *tree(self.gunicorn.process.pid if self.gunicorn.process else 0)):
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def deployed(
    tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path, storage: StorageAccess
) -> Iterator[Deployed]:
    with world_on_sqlite(tmp_path_factory.mktemp("instance"), empty_sqlite, storage) as world:
        running = Deployed(world, tmp_path_factory.mktemp("deployed"))
        yield running
        running.close()


def test_a_program_that_does_not_start_leaves_the_old_one_running(deployed: Deployed) -> None:
    before, good = deployed.pid, (deployed.folder / "app" / "__init__.py").read_text()
    deployed.change("app/__init__.py", "gc.freeze()", "raise RuntimeError('half a deployment')")
    os.kill(before, signal.SIGHUP)
    wait_until(lambda: "did not start; its own lines above" in deployed.log, 60, "the failure is in the log")

    assert "half a deployment" in deployed.log
    assert deployed.pid == before
    assert deployed.request_id().startswith("req_")
    (deployed.folder / "app" / "__init__.py").write_text(good)


class Visitors:
    """Clients that each ask again and again, over a new connection each time. `statuses` has every result."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.statuses: list[int | str] = []
        self.ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(CLIENTS)]

    def __enter__(self) -> Visitors:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self.ended.is_set():
            with urllib3.PoolManager(retries=False, timeout=30) as http:
                try:
                    self.statuses.append(http.request("GET", f"{self.address}/sign-in").status)
                except urllib3.exceptions.HTTPError as error:
                    self.statuses.append(repr(error))


def test_a_new_version_takes_over_without_a_failed_request(deployed: Deployed, tmp_path: Path) -> None:
    world, gunicorn, old = deployed.world, deployed.gunicorn, deployed.pid
    slug, other, game = world.new_game(), world.new_game(), packed_game(1, 1_000_000)
    assert upload(gunicorn.port, world.key, other, packed_game(2, 100_000).archive).status == 200
    agent = RealAgent(gunicorn.address, world.server_token, tmp_path / "cache").start()
    try:
        wait_until(lambda: builds_of(agent) == 1, 60, "the agent has the build")
        deployed.change("app/process/logs.py", '"req_', '"new_')
        with (
            RawUpload(gunicorn.port, world.key, slug, Content_Length=str(len(game.archive))) as sending,
            Visitors(gunicorn.address) as visitors,
        ):
            sending.send(game.archive[:500_000])
            wait_until(lambda: len(visitors.statuses) > 50, 60, "visitors are answered")
            os.kill(old, signal.SIGHUP)
            wait_until(lambda: deployed.pid != old, 90, "the new program serves")
            after = len(visitors.statuses)
            wait_until(lambda: len(visitors.statuses) > max(REQUESTS, after + 100), 120, "visitors are answered")
            assert is_alive(old), "it waits for the upload"
            wait_until(deployed.is_new, 20, "every answer is of the new program, in modules of the master too")
            answer = sending.send(game.archive[500_000:]).answer()
        assert (answer.status, answer.json["build"]) == (200, 1)
        assert set(visitors.statuses) == {200}
        wait_until(lambda: not is_alive(old), 60, "the old program ended after the upload")
        assert world.builds(slug) == [(1, game.sha256)]
        wait_until(lambda: builds_of(agent) == 2, 60, "the agent has both builds")
        assert noticed(agent) == []
    finally:
        agent.kill()
    again_replaceable(deployed)


def noticed(agent: RealAgent) -> list[str]:
    """Lines of the agent about a platform that failed it."""
    return [line for line in agent.log.read_text().splitlines() if "WARNING" in line or "ERROR" in line]


def again_replaceable(deployed: Deployed) -> None:
    """The new program can be replaced as the first one was, once it has become the master."""
    old = deployed.pid
    wait_until(lambda: _replaced(deployed, old), 120, "the second replacement serves")
    wait_until(lambda: not is_alive(old), 60, "the program before has ended")
    assert deployed.is_new()


def _replaced(deployed: Deployed, old: int) -> bool:
    if deployed.pid == old and deployed.log.count("Starting the new program") < 3:
        os.kill(old, signal.SIGHUP)
    return deployed.pid != old


def builds_of(agent: RealAgent) -> int:
    """How many games the agent holds a live build of."""
    return len(list(agent.cache.glob("*/current")))
