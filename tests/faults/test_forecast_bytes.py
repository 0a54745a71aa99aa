"""A real agent fetches exactly the bytes that were shown before the release, and none for a rollback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from app.storage.embedded_server import StorageAccess
from tests.app.packing.scenes import archive_of, edited, game_files
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import Gunicorn, World
from tests.conftest import bearer
from tests.faults.agents import RealAgent
from tests.faults.counting_storage import CountingStorage

pytestmark = pytest.mark.slow


@pytest.fixture
def counted(storage: StorageAccess) -> Iterator[CountingStorage]:
    proxy = CountingStorage(storage.endpoint)
    yield proxy
    proxy.close()


@pytest.fixture
def server(apart: World, counted: CountingStorage, tmp_path: Path) -> Iterator[Gunicorn]:
    running = Gunicorn(apart.settings, tmp_path / "gunicorn.log", S3_AGENT_ENDPOINT=counted.url).start()
    yield running
    running.kill()


class Partner:
    """A partner's script, for one game."""

    def __init__(self, url: str, world: World) -> None:
        self.slug = world.new_game()
        self._url = f"{url}/api/partners/games/{self.slug}"
        self._headers = bearer(world.key)
        self.ask("PATCH", "", {"autoRelease": False})

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = urllib3.request(method, self._url + path, headers=self._headers, json=body, timeout=60)
        assert answer.status < 300, answer.data
        found: dict[str, Any] = answer.json()
        return found

    def publish(self, files: dict[str, bytes]) -> int:
        """The number of a new build, once it can be compared: then its pack is ready."""
        headers = self._headers | {"Content-Type": "application/gzip"}
        answer = urllib3.request("PUT", f"{self._url}/upload", headers=headers, body=archive_of(files), timeout=60)
        assert answer.status == 200, answer.data
        number: int = answer.json()["build"]
        path = f"{self._url}/builds/{number}/changes?against={number}"
        is_ready = lambda: urllib3.request("GET", path, headers=self._headers).status == 200  # noqa: E731
        wait_until(is_ready, 120, f"build {number} has its pack")
        return number

    def forecast(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/releases/preview?build={number}")["servers"][0]
        return found

    def on_server(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", "/sync")["servers"][0]
        return found

    def release(self, number: int) -> None:
        """Returns once the server has cached the build."""
        self.ask("POST", "/releases", {"build": number})
        wait_until(lambda: self.on_server()["status"] == "cached", 120, f"build {number} is cached")


def test_the_bytes_shown_before_a_release_are_those_that_the_agent_fetches(
    server: Gunicorn, apart: World, counted: CountingStorage, tmp_path: Path
) -> None:
    partner = Partner(server.address, apart)
    agent = RealAgent(server.address, apart.server_token, tmp_path / "cache").start()
    try:
        files = game_files(media=3_000_000)
        expected: dict[int, int] = {}
        changes = [
            files,
            files | {"game/script.rpy": b"label start:\n    pass\n" * 300},
            files | {"lib/linux-x86_64/engine": edited(files["lib/linux-x86_64/engine"])},
        ]
        for content in changes:
            number = partner.publish(content)
            shown = partner.forecast(number)
            counted.reset()
            partner.release(number)
            assert counted.sent == shown["bytesToFetch"], shown
            expected[number] = counted.sent
            way = "pack" if number == 1 else "update"
            there = partner.on_server()
            assert (shown["way"], there["source"]) == (way, way)
            assert (there["fromBuild"], there["fallback"]) == (shown["fromBuild"], None)
        assert expected[2] < expected[1] / 100

        rows = {row["number"]: row for row in partner.ask("GET", "/builds")["builds"]}
        assert {number: row["sentBytes"] for number, row in rows.items()} == expected
        assert all(row["savedBytes"] == row["size"] - row["sentBytes"] for row in rows.values())
        game = partner.ask("GET", "")
        assert game["sentBytes"] == sum(expected.values())

        shown = partner.forecast(2)
        assert (shown["way"], shown["bytesToFetch"]) == ("none", 0)
        counted.reset()
        partner.release(2)
        current = tmp_path / "cache" / apart.game_id(partner.slug) / "current"
        wait_until(lambda: current.resolve().name == "2" or current.resolve().parent.name == "2", 60, "2 is current")
        assert counted.sent == 0, "rolling back to a kept build sends nothing"
        assert partner.ask("GET", "")["sentBytes"] == sum(expected.values())
    finally:
        agent.kill()
