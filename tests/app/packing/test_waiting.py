"""Servers wait for the pack of a build that was just released, for a while; the release itself never waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.catalog.releasing import release
from app.data.database import writing
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.packing.pack_claims import claim_pack, end_without_room
from app.packing.pack_requests import end_waits
from app.packing.pack_work import make_due_packs
from tests.app.fleet.acting import STUDIO, FleetAgent, held
from tests.app.packing.scenes import Studio, game_files, pack_of

PREPARING = {"preparing": True}


def pack_in_plan(agent: FleetAgent, build: Build) -> Any:
    return next(entry["pack"] for entry in agent.plan()["builds"] if entry["build"] == build.number)


@pytest.fixture
def first(studio: Studio, agent: FleetAgent) -> Build:
    """The build that the server plays, without a pack."""
    build = studio.publish(game_files())
    agent.report(held(build, "cached"))
    return build


def let_time_pass(build: Build) -> None:
    with writing() as session:
        past = now() - timedelta(seconds=1)
        session.execute(update(BuildPack).where(BuildPack.build_id == build.id).values(awaited_until=past))


def test_a_server_that_plays_an_older_build_waits(studio: Studio, agent: FleetAgent, first: Build) -> None:
    second = studio.publish(game_files(scripts=2))
    assert pack_in_plan(agent, second) == PREPARING
    version = agent.plan()["version"]

    make_due_packs()

    assert pack_in_plan(agent, second)["bytes"] > 0
    assert agent.plan()["version"] > version


def test_a_server_with_nothing_to_play_fetches_the_archive_at_once(studio: Studio, agent: FleetAgent) -> None:
    assert pack_in_plan(agent, studio.publish(game_files())) is None


def test_nobody_waits_for_a_build_that_is_not_released(studio: Studio, first: Build) -> None:
    staged = studio.publish(game_files(scripts=2), release=False)
    pack = pack_of(staged)
    assert pack is not None
    assert pack.awaited_until is None


def test_a_release_of_a_staged_build_is_awaited_too(studio: Studio, agent: FleetAgent, first: Build) -> None:
    staged = studio.publish(game_files(scripts=2), release=False)
    release(studio.game, staged.number, STUDIO)
    assert pack_in_plan(agent, staged) == PREPARING


def test_the_wait_ends_and_the_servers_are_told(studio: Studio, agent: FleetAgent, first: Build) -> None:
    second = studio.publish(game_files(scripts=2))
    version = agent.plan()["version"]
    let_time_pass(second)
    assert pack_in_plan(agent, second) is None, "the plan itself ends the wait"

    assert end_waits() == 1

    assert agent.plan()["version"] > version, "an agent that waits for a new plan gets one"
    assert end_waits() == 0
    make_due_packs()
    assert pack_in_plan(agent, second)["bytes"] > 0, "the pack is made nevertheless"


@pytest.mark.settings(PACK_WAIT="0")
def test_the_wait_can_be_set_to_nothing(studio: Studio, agent: FleetAgent, first: Build) -> None:
    assert pack_in_plan(agent, studio.publish(game_files(scripts=2))) is None


def test_a_pack_that_has_no_room_is_not_waited_for(studio: Studio, agent: FleetAgent, first: Build) -> None:
    second = studio.publish(game_files(scripts=2))
    claim = claim_pack(second.id)
    assert claim is not None
    assert pack_in_plan(agent, second) == PREPARING
    version = agent.plan()["version"]

    end_without_room(claim, "the disk is full")

    assert pack_in_plan(agent, second) is None
    assert agent.plan()["version"] > version
