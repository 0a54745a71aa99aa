"""The agent killed at its named points and at random moments, against the real app: it ends with the verified tree,
with `current` on the release, and the platform knows it."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.agent.crash_points import NAMES
from tests.app.uploads.raw.live import Gunicorn, World
from tests.faults.game_servers import SIZE, Machine, Platform, new_machine, survives_kills
from tests.faults.packing import packed_game

pytestmark = pytest.mark.slow
WHEN_EVICTING = ("mid-evict", "after-evict-rename")


@pytest.fixture(scope="module")
def platform(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Without room for packs: agents fetch archives."""
    server = Gunicorn(world.settings, tmp_path_factory.mktemp("log") / "gunicorn.log").start(PACK_DISK_BYTES="1")
    slug = world.new_game()
    platform = Platform(world, server, slug, world.game_id(slug), {})
    platform.release(packed_game(1, SIZE))
    yield platform
    server.kill()


@pytest.fixture
def machine(platform: Platform, tmp_path: Path) -> Iterator[Machine]:
    with new_machine(platform, tmp_path) as machine:
        yield machine


@pytest.mark.parametrize("point", [name for name in NAMES if name not in WHEN_EVICTING])
def test_killed_while_a_build_arrives(platform: Platform, machine: Machine, point: str) -> None:
    number = max(platform.released)
    assert machine.agent.start(crash_at=point).wait() == -signal.SIGKILL
    assert platform.what_is_in_view_is_whole(machine.agent.cache)
    machine.agent.start()
    platform.has_arrived(machine.agent, machine.id, number)


@pytest.mark.parametrize("point", WHEN_EVICTING)
def test_killed_while_a_build_is_evicted(platform: Platform, machine: Machine, point: str) -> None:
    before = max(platform.released)
    machine.agent.start()
    platform.has_arrived(machine.agent, machine.id, before)
    machine.agent.kill()
    number = platform.release(packed_game(1000 + before, SIZE))
    assert machine.agent.start(crash_at=point).wait() == -signal.SIGKILL
    assert platform.what_is_in_view_is_whole(machine.agent.cache)
    machine.agent.start()
    platform.has_arrived(machine.agent, machine.id, number)


def test_killed_at_eight_random_moments(platform: Platform, machine: Machine) -> None:
    survives_kills(platform, machine, seed=20_260_102, kills=8)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_killed_at_two_hundred_random_moments(platform: Platform, machine: Machine) -> None:
    seed = int(os.environ.get("SLIPWAY_SOAK_SEED") or random.SystemRandom().randrange(10**9))
    survives_kills(platform, machine, seed, kills=int(os.environ.get("SLIPWAY_SOAK_KILLS") or 200))
