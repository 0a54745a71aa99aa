"""Packs that are damaged in storage are noticed and made again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from app.data.database import writing
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.maintenance.build_sweep import check
from app.packing import pack_reading, pack_work
from app.packing.due_packs import suspected_packs
from app.packing.pack_requests import PAUSE_BETWEEN_CHECKS
from app.packing.pack_work import make_due_packs, make_unready_packs, work_is_due
from app.storage.bucket import Bucket, StorageError
from app.storage.objects import ObjectMissing, OpenObject, open_object
from tests.app.fleet.acting import FleetAgent, held
from tests.app.packing.scenes import PackInstaller, Studio, edited, game_files, installed_files, ready_pack
from tests.app.packing.test_freeing import put
from tests.app.packing.test_updates import planned

# What differs between databases is in the other tests.
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
REFUSED = {"kind": "archive", "from": None, "fallback": "3 chunks of the pack are not what the index promises"}


@pytest.fixture
def build(studio: Studio) -> Build:
    published = studio.publish(game_files())
    make_due_packs()
    return published


def flip(key: str) -> None:
    """One bit of the object, whose size stays."""
    stored = open_object(key)
    content = bytearray(b"".join(stored.pieces()))
    stored.close()
    content[len(content) // 2] ^= 1
    put(key, bytes(content))


def refuse(agent: FleetAgent, build: Build, **values: Any) -> None:
    """The server could not use the pack and fetches the archive."""
    agent.report(held(build, "downloading", **({"source": REFUSED} | values)))


def test_a_damaged_pack_that_a_server_refused_is_made_again(
    studio: Studio, agent: FleetAgent, installer: PackInstaller, build: Build
) -> None:
    damaged = ready_pack(build)
    flip(damaged.pack_key)
    assert check().missing == [], "its size is right"
    assert not work_is_due()

    refuse(agent, build)
    assert work_is_due()
    make_due_packs()

    made = ready_pack(build)
    assert made.folder != damaged.folder
    assert not work_is_due()
    installed = installed_files(installer.install(planned(agent, build)))
    assert installed.items() >= game_files().items()
    assert (check().missing, check().orphans) == ([], [])


def test_an_intact_pack_is_checked_once_an_hour_at_most(agent: FleetAgent, build: Build) -> None:
    folder = ready_pack(build).folder
    refuse(agent, build)
    assert suspected_packs() == [build.id]
    make_due_packs()
    checked = ready_pack(build)
    assert (checked.folder, checked.suspected) == (folder, False)
    assert checked.checked_at is not None

    refuse(agent, build, source=REFUSED | {"fallback": "another reason"})
    assert suspected_packs() == []
    with writing() as session:
        session.get_one(BuildPack, build.id).checked_at = now() - PAUSE_BETWEEN_CHECKS
    refuse(agent, build, source=REFUSED | {"fallback": "another reason"})
    assert suspected_packs() == [], "the same words are no news"
    refuse(agent, build)
    assert suspected_packs() == [build.id]


@pytest.mark.parametrize("part", ["pack", "index"])
def test_packs_make_can_read_all_packs(studio: Studio, build: Build, part: str) -> None:
    damaged = ready_pack(build)
    flip(f"{damaged.folder}/{part}")
    assert list(make_unready_packs(None)) == []
    assert [made.name for made in make_unready_packs(None, verify=True)] == [f"{studio.slug}, build 1"]
    assert ready_pack(build).folder != damaged.folder
    assert list(make_unready_packs(None, verify=True)) == []


@sqlite_only
def test_a_pack_that_is_cut_off_holds_up_no_other(studio: Studio, agent: FleetAgent, build: Build) -> None:
    damaged = ready_pack(build)
    stored = open_object(damaged.pack_key)
    put(damaged.pack_key, b"".join(stored.pieces())[: damaged.pack_bytes // 2])
    refuse(agent, build)
    second = studio.publish(game_files(scripts=2))
    make_due_packs()
    assert ready_pack(second)
    assert ready_pack(build).folder != damaged.folder


@sqlite_only
def test_a_pack_can_be_made_beside_one_that_is_cut_off(studio: Studio, build: Build) -> None:
    older = ready_pack(build)
    put(older.pack_key, b"")
    changed = game_files()
    changed["game/images.rpa"] = edited(changed["game/images.rpa"])
    second = studio.publish(changed)
    make_due_packs()
    assert [made.patch_bytes for made in ready_pack(second).updates] == [None]


@sqlite_only
def test_a_check_that_cannot_end_holds_up_no_pack(
    studio: Studio, agent: FleetAgent, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> bool:
        raise StorageError("reading an object")

    monkeypatch.setattr(pack_work, "is_intact", refused)
    folder = ready_pack(build).folder
    refuse(agent, build)
    second = studio.publish(game_files(scripts=2), release=False)
    make_due_packs()
    assert ready_pack(second)
    assert (ready_pack(build).folder, suspected_packs()) == (folder, [build.id])


@sqlite_only
def test_checks_take_turns_with_the_making_of_packs(
    studio: Studio, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = studio.publish(game_files(scripts=2), release=False)
    make_due_packs()
    due = [studio.publish(game_files(scripts=scripts), release=False) for scripts in (3, 4)]
    with writing() as session:
        session.execute(update(BuildPack).where(BuildPack.state == "ready").values(suspected=True))
    work: list[str] = []
    for name in ("is_intact", "make_pack"):
        monkeypatch.setattr(pack_work, name, _noted(work, name, getattr(pack_work, name)))
    make_due_packs()
    assert work == ["is_intact", "make_pack", "is_intact", "make_pack"]
    assert all(ready_pack(made) for made in (second, *due))


def _noted(work: list[str], name: str, function: Any) -> Any:
    def call(*arguments: Any) -> Any:
        work.append(name)
        return function(*arguments)

    return call


@sqlite_only
@pytest.mark.parametrize("part", ["pack", "index"])
def test_bytes_that_were_wrong_on_their_way_once_discard_nothing(
    agent: FleetAgent, build: Build, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    spoilt: list[str] = []

    def wrong_once(pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if not spoilt:
                spoilt.append(part)
                piece = bytes([piece[0] ^ 1]) + piece[1:]
            yield piece

    folder = ready_pack(build).folder
    owner, method = (Bucket, "read") if part == "pack" else (OpenObject, "pieces")
    real: Any = getattr(owner, method)
    monkeypatch.setattr(owner, method, lambda *arguments: wrong_once(real(*arguments)))
    refuse(agent, build)
    make_due_packs()
    checked = ready_pack(build)
    assert (checked.folder, checked.suspected, spoilt) == (folder, False, [part])


@sqlite_only
def test_an_answer_that_an_object_is_missing_is_no_proof(
    agent: FleetAgent, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy without its storage answers 404 too."""

    def missing(*_: Any) -> OpenObject:
        raise ObjectMissing("reading an object that is not there")

    monkeypatch.setattr(pack_reading, "open_object", missing)
    folder = ready_pack(build).folder
    refuse(agent, build)
    make_due_packs()
    assert (ready_pack(build).folder, suspected_packs()) == (folder, [build.id])
