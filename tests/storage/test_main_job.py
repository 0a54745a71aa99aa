"""The main job on three kinds of S3-compatible storage: builds sent with one PUT and in parts, live on an agent, and
nothing left when their game is deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.bucket import bucket
from app.storage.embedded_server import StorageAccess
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import World, world_on_sqlite
from tests.app.uploads.raw.sending import upload
from tests.app.uploads.resumable.resuming import Client, Platform
from tests.conftest import bearer
from tests.faults.agents import RealAgent
from tests.faults.packing import packed_game
from tests.storage.rclone import KEYS, Rclone
from tests.storage.seaweed import ROOT, SeaweedFS

pytestmark = pytest.mark.slow


@pytest.fixture(params=["embedded", "seaweed", "rclone"])
def platform(
    request: pytest.FixtureRequest, tmp_path: Path, empty_sqlite: Path, storage: StorageAccess
) -> Iterator[Platform]:
    """A web server on storage of each kind, with a bucket of its own and the app's own key alone."""
    access = storage
    if request.param == "seaweed":
        seaweed: SeaweedFS = request.getfixturevalue("seaweed")
        access = StorageAccess(seaweed.endpoint, *ROOT, "", "")
    if request.param == "rclone":
        rclone: Rclone = request.getfixturevalue("rclone")
        access = StorageAccess(rclone.endpoint, *KEYS, "", "")
    with world_on_sqlite(tmp_path / "instance", empty_sqlite, access) as world:
        running = Platform(world, tmp_path)
        yield running
        running.close()


def test_from_an_archive_to_an_agent_and_away_again(platform: Platform, tmp_path: Path) -> None:
    world, slug = platform.world, platform.world.new_game()
    first, second = packed_game(1, 200_000), packed_game(2, 17_000_000)
    agent = RealAgent(platform.gunicorn.address, world.server_token, tmp_path / "cache").start()
    try:
        answer = upload(platform.gunicorn.port, world.key, slug, first.archive)
        assert (answer.status, answer.json["build"]) == (200, 1), answer.json
        holds(agent, world, slug, 1)

        ended = Client(platform, slug).deliver(second.archive)
        assert (ended["phase"], ended["build"]) == ("done", 2), ended
        assert world.builds(slug) == [(1, first.sha256), (2, second.sha256)]
        holds(agent, world, slug, 2)
        assert second.lies_in(agent.cache / world.game_id(slug) / "2" / "PaperLanterns-1.0")

        deleted = world.app.test_client().delete(f"/api/partners/games/{slug}", headers=bearer(world.key))
        assert deleted.status_code == 204
        wait_until(lambda: is_gone(world), 60, "the sweep has removed the game's archives and packs")
    finally:
        agent.kill()
    # A worker that was making the update when the game was deleted removes what it has written since.
    wait_until(lambda: is_gone(world) and world.leftovers() == [], 60, "nothing is left")


def is_gone(world: World) -> bool:
    world.sweep()
    with world.app.app_context():
        return not [stored.key for prefix in ("archives/", "packs/") for stored in bucket().objects(prefix)]


def holds(agent: RealAgent, world: World, slug: str, number: int) -> None:
    """Wait until that build is the agent's live one."""
    current = agent.cache / world.game_id(slug) / "current"
    wait_until(
        lambda: current.is_symlink() and current.readlink().parts[0] == str(number),
        90,
        f"the agent has build {number}; its log is {agent.log}",
    )
