"""Updates between any two builds: made when servers may need them, measured when somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import current_app
from sqlalchemy import update

from app.catalog.releasing import release
from app.data.database import free_connection, writing
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.maintenance.build_sweep import check, sweep
from app.packing import pack_making, update_claims, update_making
from app.packing.pack_making import make_pack
from app.packing.pack_removal import discard_pack
from app.packing.pack_work import make_due_packs
from app.packing.transfers import known_transfers, transfer_between
from app.packing.update_making import make_update
from app.packing.update_rows import due_updates
from app.refusals import Unavailable
from app.storage.bucket import StorageError, bucket
from app.storage.objects import ObjectMissing
from tests.app.fleet.acting import STUDIO, FleetAgent, held
from tests.app.packing.scenes import (
    PackInstaller,
    Studio,
    edited,
    game_files,
    installed_files,
    pack_objects_stored,
    pack_of,
    ready_pack,
    update_of,
)
from tests.app.packing.test_freeing import put

FILES = game_files()
EDITED = FILES | {"lib/linux-x86_64/engine": edited(FILES["lib/linux-x86_64/engine"])}
GROWN = EDITED | {"game/more.rpa": game_files(seed=7)["game/images.rpa"]}


def planned(agent: FleetAgent, build: Build) -> Any:
    return next(entry for entry in agent.plan()["builds"] if entry["build"] == build.number)


def test_rolling_back_is_an_update_too(studio: Studio, agent: FleetAgent, installer: PackInstaller) -> None:
    first, second = studio.publish(FILES), studio.publish(GROWN)
    make_due_packs()
    installed = installer.install(planned(agent, second))
    agent.report(held(second, "cached"))
    release(studio.game, first.number, STUDIO)
    make_due_packs()

    way = update_of(second, first)
    assert way is not None
    assert way.patch_bytes is not None, "made from the two packs in storage"
    entry = planned(agent, first)
    installer.received = 0
    back = installer.install(entry, installed)

    assert installed_files(back) == FILES
    assert installer.received == way.transfer_bytes == entry["pack"]["updates"][0]["bytes"]


def test_a_server_that_skipped_a_build_gets_an_update_of_its_own(
    studio: Studio, agent: FleetAgent, installer: PackInstaller
) -> None:
    first = studio.publish(FILES)
    make_due_packs()
    installed = installer.install(planned(agent, first))
    agent.report(held(first, "cached"))
    studio.publish(EDITED)
    make_due_packs()
    third = studio.publish(GROWN)
    make_due_packs()

    way = update_of(first, third)
    assert way is not None
    installer.received = 0
    assert installed_files(installer.install(planned(agent, third), installed)) == GROWN
    assert installer.received == way.transfer_bytes


def test_the_cheapest_update_is_named_first(studio: Studio, agent: FleetAgent) -> None:
    first = studio.publish(GROWN)
    second = studio.publish(FILES)
    agent.report(held(first, "cached"), held(second, "cached"))
    third = studio.publish(FILES | {"game/script.rpy": b"label start:\n    pass\n"})
    make_due_packs()

    ways = planned(agent, third)["pack"]["updates"]

    assert [way["build"] for way in ways] == [second.number, first.number]
    assert ways[0]["bytes"] < ways[1]["bytes"]


def test_a_build_that_is_there_already_needs_no_update(studio: Studio, agent: FleetAgent) -> None:
    first, second = studio.publish(FILES), studio.publish(EDITED)
    agent.report(held(first, "cached"), held(second, "cached"))
    make_due_packs()
    pack = planned(agent, second)["pack"]
    assert pack["updates"] == []
    assert pack["index"]["sha256"] == ready_pack(second).index_sha256, "it can be verified and repaired"


def test_an_update_that_nobody_measured_yet_counts_at_most_everything(
    studio: Studio, agent: FleetAgent, installer: PackInstaller
) -> None:
    first, second = studio.publish(FILES), studio.publish(GROWN)
    make_pack(second.id)
    make_pack(first.id)
    agent.report(held(first, "cached"))
    pack = ready_pack(second)
    assert update_of(first, second) is None

    (way,) = planned(agent, second)["pack"]["updates"]

    assert way == {"build": 1, "bytes": pack.index_bytes + pack.pack_bytes, "delta": None, "patch": None}
    installed = installer.install({**planned(agent, second), "build": "1-from-its-own-pack"})
    assert installed_files(installed) == GROWN


def test_a_transfer_is_measured_once_and_is_what_servers_use(
    studio: Studio, agent: FleetAgent, installer: PackInstaller
) -> None:
    first, second = studio.publish(FILES), studio.publish(EDITED)
    make_pack(second.id)
    make_pack(first.id)
    measured = transfer_between(first, second)
    assert measured is not None
    assert known_transfers(second.id, [first.id])[first.id].transfer_bytes == measured.transfer_bytes
    free_connection()
    stored = pack_objects_stored()

    make_due_packs()
    again = transfer_between(first, second)

    assert again is not None
    assert again.transfer_bytes == measured.transfer_bytes, "an update never changes"
    assert stored.items() <= pack_objects_stored().items()
    agent.report(held(first, "cached"))
    assert planned(agent, second)["pack"]["updates"][0]["bytes"] == measured.transfer_bytes


def interrupt_storing(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Call `meanwhile` when the objects of the next update are stored, before its row is added."""

    def stored(point: str) -> None:
        monkeypatch.undo()
        meanwhile()

    monkeypatch.setattr(update_making, "crash_point", stored)


def expire_claims() -> None:
    """As if the workers had been frozen for longer than a lease."""
    with writing() as session:
        session.execute(update(BuildPack).values(update_claimed_until=now()))
    free_connection()


def test_of_two_workers_that_make_one_update_the_first_counts(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = studio.publish(FILES), studio.publish(EDITED)
    make_pack(second.id)
    make_pack(first.id)
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # Werkzeug's proxies hide it

    def other() -> bool:
        with app.app_context():
            return make_update(second.id, first.id, cancelled=lambda: False)

    with ThreadPoolExecutor(1) as pool:
        waiting: list[Future[bool]] = []

        def meanwhile() -> None:
            waiting.append(pool.submit(other))
            only_named_objects()

        interrupt_storing(monkeypatch, meanwhile)
        assert make_update(second.id, first.id, cancelled=lambda: False)
        way = update_of(first, second)
        assert way is not None
        assert waiting[0].result(60)

    again = update_of(first, second)
    assert again is not None
    assert again.folder == way.folder
    only_named_objects()
    assert {way.delta_key, way.patch_key} <= pack_objects_stored().keys()


def only_named_objects() -> None:
    assert (check().missing, check().orphans) == ([], [])


def test_an_update_to_a_build_waits_for_another_one_to_it(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = studio.publish(FILES), studio.publish(EDITED), studio.publish(GROWN)
    for build in (third, second, first):
        make_pack(build.id)
    monkeypatch.setattr(update_claims, "_PATIENCE", timedelta(seconds=0.2))
    refused: list[str] = []

    def other() -> None:
        with pytest.raises(Unavailable) as caught:
            make_update(third.id, first.id, cancelled=lambda: False)
        refused.append(caught.value.message)

    with monkeypatch.context() as patched:
        interrupt_storing(patched, other)
        assert make_update(third.id, second.id, cancelled=lambda: False)

    assert refused == ["Another update to this build is being stored. Try again in a moment."]
    assert update_of(second, third) is not None
    assert make_update(third.id, first.id, cancelled=lambda: False)
    assert update_of(first, third) is not None
    only_named_objects()


def test_a_worker_that_was_frozen_leaves_nothing(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = studio.publish(FILES), studio.publish(EDITED), studio.publish(GROWN)
    for build in (third, second, first):
        make_pack(build.id)

    def other() -> None:
        expire_claims()
        assert make_update(third.id, first.id, cancelled=lambda: False)

    interrupt_storing(monkeypatch, other)
    assert make_update(third.id, second.id, cancelled=lambda: False)

    assert update_of(first, third) is not None
    only_named_objects()
    assert transfer_between(second, third) is not None, "it can be made again"
    only_named_objects()


def test_the_sweep_removes_what_a_worker_left_that_died(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = studio.publish(FILES), studio.publish(EDITED)
    make_pack(second.id)
    make_pack(first.id)
    before = pack_objects_stored()

    class Died(BaseException):
        """As a kill: nothing is cleared up."""

    def die() -> None:
        monkeypatch.setattr(update_claims, "_end", lambda *_: None)
        raise Died

    with monkeypatch.context() as patched:
        interrupt_storing(patched, die)
        with pytest.raises(Died):
            make_update(second.id, first.id, cancelled=lambda: False)
    left = pack_objects_stored().keys() - before.keys()
    assert left

    sweep()
    assert left <= pack_objects_stored().keys(), "another process may still store it"
    expire_claims()
    sweep()
    assert pack_objects_stored() == before


def test_an_update_from_a_pack_that_was_freed_meanwhile_leaves_nothing(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = studio.publish(FILES)
    make_pack(first.id)
    second = studio.publish(EDITED)

    def freed(point: str) -> None:
        if point == "pack-objects-stored":
            discard_pack(ready_pack(first))

    monkeypatch.setattr(pack_making, "crash_point", freed)
    make_pack(second.id)

    assert ready_pack(second)
    assert update_of(first, second) is None
    assert (check().missing, check().orphans) == ([], [])


def test_without_both_packs_nothing_can_be_measured(studio: Studio) -> None:
    first, second = studio.publish(FILES), studio.publish(EDITED)
    assert transfer_between(first, second) is None
    make_pack(second.id)
    assert transfer_between(first, second) is None


def test_builds_without_a_difference_cost_an_index_of_some_bytes(studio: Studio) -> None:
    first = studio.publish(FILES)
    second = studio.publish(FILES | {"renpy/version.txt": b"8.3.1\n"})
    third = studio.publish(FILES)
    make_due_packs()
    way = transfer_between(first, third)
    assert way is not None
    assert (way.fetched_bytes, way.patch_bytes) == (0, None)
    assert way.transfer_bytes < 100
    assert second.number == 2


def test_a_damaged_index_is_noticed_and_the_pack_is_made_again(studio: Studio, agent: FleetAgent) -> None:
    first = studio.publish(FILES)
    agent.report(held(first, "cached"))
    second = studio.publish(EDITED)
    make_pack(second.id)
    make_pack(first.id)
    damaged = ready_pack(first)
    put(damaged.index_key, b"something else".ljust(damaged.index_bytes))

    make_due_packs()

    again = ready_pack(first)
    assert again.folder != damaged.folder
    assert damaged.pack_key not in pack_objects_stored()
    make_due_packs()
    assert update_of(first, second) is not None
    assert due_updates() == []


def test_a_lost_pack_costs_the_patch_and_not_the_update(studio: Studio) -> None:
    first, second = studio.publish(FILES), studio.publish(EDITED)
    make_pack(second.id)
    make_pack(first.id)
    bucket().delete([ready_pack(first).pack_key])

    assert make_update(second.id, first.id, cancelled=lambda: False)

    way = update_of(first, second)
    assert way is not None
    assert way.patch_bytes is None
    assert way.fetched_bytes > 0


def test_a_storage_that_does_not_answer_is_no_damage(
    studio: Studio, agent: FleetAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = studio.publish(FILES)
    agent.report(held(first, "cached"))
    second = studio.publish(EDITED)
    make_pack(second.id)
    make_pack(first.id)

    def silent(*_: object) -> None:
        raise StorageError("reading an object")

    with monkeypatch.context() as patched:
        patched.setattr("app.packing.pack_reading.open_object", silent)
        make_due_packs()
    assert not issubclass(StorageError, ObjectMissing)
    assert pack_of(first) is not None
    ready_pack(first)
    assert due_updates() != []
    make_due_packs()
    assert update_of(first, second) is not None
