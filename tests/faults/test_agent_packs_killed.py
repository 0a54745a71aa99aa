"""The agent killed while it makes builds from packs, against the real app: it ends with the verified tree, and the
platform knows where its bytes came from."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.server import Replica
from slipway.agent.crash_points import PACK_NAMES
from tests.app.uploads.raw.live import Gunicorn, World
from tests.faults.game_servers import SIZE, Machine, Platform, new_machine, survives_kills
from tests.faults.packing import packed_game

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def platform(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    server = Gunicorn(world.settings, tmp_path_factory.mktemp("log") / "gunicorn.log").start()
    slug = world.new_game()
    platform = Platform(world, server, slug, world.game_id(slug), {})
    platform.pack_is_ready(platform.release(packed_game(1, SIZE)))
    yield platform
    server.kill()


@pytest.fixture
def machine(platform: Platform, tmp_path: Path) -> Iterator[Machine]:
    with new_machine(platform, tmp_path) as machine:
        yield machine


def source(platform: Platform, machine: Machine, number: int) -> tuple[str | None, int | None]:
    """What the platform has recorded: the way, and the build that an update began with."""
    with platform.world.app.app_context():
        query = select(Replica).join(Replica.build).where(Replica.server_id == machine.id, Build.number == number)
        replica = db.session.scalars(query).one()
        return replica.source, replica.source_build


@pytest.mark.parametrize("point", PACK_NAMES)
def test_killed_while_a_pack_is_installed(platform: Platform, machine: Machine, point: str) -> None:
    number = max(platform.released)
    assert machine.agent.start(crash_at=point).wait() == -signal.SIGKILL
    assert platform.what_is_in_view_is_whole(machine.agent.cache)
    machine.agent.start()
    platform.has_arrived(machine.agent, machine.id, number)
    assert source(platform, machine, number) == ("pack", None)


@pytest.mark.parametrize("point", PACK_NAMES)
def test_killed_while_an_update_is_made(platform: Platform, machine: Machine, point: str) -> None:
    before = max(platform.released)
    machine.agent.start()
    platform.has_arrived(machine.agent, machine.id, before)
    machine.agent.kill()
    number = platform.release(packed_game(1000 + before, SIZE))
    platform.pack_is_ready(number)
    assert machine.agent.start(crash_at=point).wait() == -signal.SIGKILL
    assert platform.what_is_in_view_is_whole(machine.agent.cache)
    machine.agent.start()
    platform.has_arrived(machine.agent, machine.id, number)
    assert source(platform, machine, number) == ("update", before)


def test_killed_at_six_random_moments(platform: Platform, machine: Machine) -> None:
    survives_kills(platform, machine, seed=20_261_129, kills=6)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_killed_at_two_hundred_random_moments(platform: Platform, machine: Machine) -> None:
    seed = int(os.environ.get("SLIPWAY_SOAK_SEED") or random.SystemRandom().randrange(10**9))
    survives_kills(platform, machine, seed, kills=int(os.environ.get("SLIPWAY_SOAK_KILLS") or 200))
