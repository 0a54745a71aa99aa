"""Packs being made while storage is killed at random moments: they are made when it is back, servers install exactly
the archive's files from them, and the sweep leaves nothing over."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.packing.pack_work import make_due_packs
from app.storage.embedded_server import EmbeddedStorage
from tests.app.runtime.processes import free_port
from tests.app.uploads.raw.live import World, world_on_sqlite
from tests.app.uploads.resumable.resuming import Client, Platform
from tests.faults.conftest import LIMITS
from tests.faults.packing import packed_game
from tests.faults.test_pack_kills import SIZE, is_whole, nothing_is_left, ready

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStorage]:
    """A storage that no other test uses."""
    storage = EmbeddedStorage(tmp_path_factory.mktemp("storage"), port=free_port())
    yield storage
    storage.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path, mortal: EmbeddedStorage) -> Iterator[World]:
    with world_on_sqlite(tmp_path_factory.mktemp("instance"), empty_sqlite, mortal.start(), **LIMITS) as world:
        yield world


def survives_kills(
    platform: Platform, world: World, storage: EmbeddedStorage, folder: Path, seed: int, kills: int
) -> None:
    """Deliver one build after another, and kill storage at some moment of making its pack."""
    print(f"seed {seed}")  # noqa: T201 - what a failed run is repeated with
    chance = random.Random(seed)
    client = Client(platform, world.new_game())
    for number in range(1, kills + 1):
        packed = packed_game(seed + number, SIZE)
        client.deliver(packed.archive)
        assert storage.process is not None
        killer = threading.Timer(chance.uniform(0, 0.6), storage.process.kill)
        killer.start()
        killer.join()
        storage.process.wait()
        storage.start()
        with world.app.app_context():
            make_due_packs()  # as the next sweep would, unless the web process is still at it
        ready(client, number)
        here = folder / str(number)
        here.mkdir()
        is_whole(world, platform.gunicorn.address, client.slug, packed, here)
    nothing_is_left(world)


def test_killed_at_two_random_moments(
    platform: Platform, world: World, mortal: EmbeddedStorage, tmp_path: Path
) -> None:
    survives_kills(platform, world, mortal, tmp_path, seed=20_261_129, kills=2)


@pytest.mark.soak
def test_killed_at_two_hundred_random_moments(
    platform: Platform, world: World, mortal: EmbeddedStorage, tmp_path: Path
) -> None:
    seed = int(os.environ.get("SLIPWAY_SOAK_SEED") or random.SystemRandom().randrange(10**9))
    survives_kills(platform, world, mortal, tmp_path, seed, kills=int(os.environ.get("SLIPWAY_SOAK_KILLS") or 200))
