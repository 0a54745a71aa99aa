"""Packs that are damaged in storage are noticed and made again."""

from __future__ import annotations

from typing import Any

import pytest

from app.data.database import writing
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.maintenance.build_sweep import check
from app.packing.due_packs import suspected_packs
from app.packing.pack_requests import PAUSE_BETWEEN_CHECKS
from app.packing.pack_work import make_due_packs, make_unready_packs, work_is_due
from app.storage.objects import open_object
from tests.app.fleet.acting import FleetAgent, held
from tests.app.packing.scenes import PackInstaller, Studio, game_files, installed_files, ready_pack
from tests.app.packing.test_freeing import put
from tests.app.packing.test_updates import planned

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
