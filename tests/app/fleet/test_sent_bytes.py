"""Bytes sent and saved: each complete transfer counts once, by the platform's own sizes."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.catalog.releasing import release
from app.catalog.retention import delete_build
from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Build, Game
from tests.app.fleet.acting import STUDIO, FleetAgent, held, keep_previous, last_heard, new_build, replica
from tests.app.fleet.packs import add_pack, add_update
from tests.conftest import Cast

MB = 10**6


def counted(game: Game) -> dict[int, tuple[int, int]]:
    """(sent, saved) by build number; 0 stands for the game."""
    db.session.rollback()
    db.session.expire_all()
    sent, saved = db.session.execute(select(Game.sent_bytes, Game.saved_bytes).where(Game.id == game.id)).one()
    found: dict[int, tuple[int, int]] = {0: (sent, saved)}
    builds = select(Build.number, Build.sent_bytes, Build.saved_bytes).where(Build.game_id == game.id)
    return found | {number: (sent, saved) for number, sent, saved in db.session.execute(builds)}


def from_update(number: int, **more: Any) -> dict[str, Any]:
    return {"source": {"kind": "update", "from": number, "fallback": None}, **more}


def test_an_archive_counts_as_sent(agent: FleetAgent, game: Game) -> None:
    build = new_build(game, 100 * MB)
    agent.report(held(build, "downloading", bytesDone=MB))
    agent.report(held(build, "verifying"))
    assert counted(game)[1] == (0, 0), "only complete transfers count"
    agent.report(held(build, "cached"))
    assert counted(game) == {0: (100 * MB, 0), 1: (100 * MB, 0)}


def test_an_update_counts_its_bytes_and_what_the_archive_would_have_taken_more(agent: FleetAgent, game: Game) -> None:
    first = new_build(game, 100 * MB)
    agent.report()
    agent.report(held(first, "cached"))
    second = new_build(game, 110 * MB)
    add_pack(second, pack_bytes=90 * MB, index_bytes=5000)
    add_update(second, first, delta_bytes=300, patch_bytes=700, fetched_bytes=2000)
    agent.report(held(first, "cached"), held(second, "downloading", bytesDone=10, bytesTotal=3000, **from_update(1)))
    agent.report(held(first, "cached"), held(second, "cached", **from_update(1)))
    assert counted(game)[2] == (3000, 110 * MB - 3000)
    assert counted(game)[0] == (100 * MB + 3000, 110 * MB - 3000)


def test_a_pack_counts_with_its_index(agent: FleetAgent, game: Game) -> None:
    build = new_build(game, 100 * MB)
    add_pack(build, pack_bytes=90 * MB, index_bytes=5000)
    agent.report(held(build, "cached", source={"kind": "pack", "from": None, "fallback": None}))
    assert counted(game)[1] == (0, 0), "the first report of a boot shows what was there before"
    agent.report()
    agent.report(held(build, "cached", source={"kind": "pack", "from": None, "fallback": None}))
    assert counted(game)[1] == (90 * MB + 5000, 10 * MB - 5000)


def test_repeated_reports_count_once(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    agent.report()
    document = agent.document(held(build, "cached"))
    for _ in range(3):
        assert agent.send(document).status_code == 200
        last_heard("srv-01", 1)
    for _ in range(3):
        agent.report(held(build, "cached"))
        last_heard("srv-01", 1)
    assert counted(game)[1] == (1000, 0)


def test_a_restarted_agent_counts_what_came_meanwhile_and_nothing_twice(
    client: FlaskClient, cast: Cast, agent: FleetAgent, game: Game
) -> None:
    build = new_build(game)
    agent.report(held(build, "downloading", bytesDone=10))
    after = FleetAgent(client, cast.servers["srv-01"], previous=agent)
    after.report(held(build, "cached"))
    again = FleetAgent(client, cast.servers["srv-01"], previous=after)
    again.report(held(build, "cached"))
    assert counted(game)[1] == (1000, 0)


def test_a_copy_that_is_checked_again_counts_once(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    agent.report()
    for phase in ("cached", "verifying", "cached"):
        agent.report(held(build, phase))
    assert counted(game)[1] == (1000, 0)


def test_a_copy_that_was_lost_and_fetched_again_counts_twice(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    agent.report()
    agent.report(held(build, "cached"))
    agent.report()
    agent.report(held(build, "downloading", bytesDone=5))
    agent.report(held(build, "cached"))
    assert counted(game)[1] == (2000, 0)


def test_a_rollback_to_a_copy_that_is_still_there_counts_nothing(agent: FleetAgent, game: Game) -> None:
    first = new_build(game)
    agent.report()
    agent.report(held(first, "cached"))
    second = new_build(game)
    agent.report(held(first, "cached"), held(second, "cached"))
    before = counted(game)
    release(game, 1, STUDIO)
    agent.report(held(first, "cached"), held(second, "cached"))
    assert counted(game) == before


def test_a_copy_whose_eviction_was_called_off_counts_nothing(agent: FleetAgent, game: Game) -> None:
    keep_previous(0)
    first = new_build(game)
    agent.report()
    agent.report(held(first, "cached"))
    second = new_build(game)
    agent.report(held(first, "cached"), held(second, "cached"))
    agent.report(held(first, "evicting"), held(second, "cached"))
    release(game, 1, STUDIO)
    before = counted(game)
    agent.report(held(first, "cached"), held(second, "cached"))
    assert counted(game) == before


def test_a_game_keeps_the_bytes_of_its_deleted_builds(agent: FleetAgent, game: Game) -> None:
    first = new_build(game)
    agent.report()
    agent.report(held(first, "cached"))
    second = new_build(game)
    agent.report(held(first, "cached"), held(second, "cached"))
    delete_build(game, 1, STUDIO)
    assert counted(game) == {0: (2000, 0), 2: (1000, 0)}


def test_a_report_cannot_invent_numbers(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    agent.report(held(build, "downloading", bytesTotal=2**50, **from_update(7)))
    agent.report(held(build, "cached", bytesTotal=2**50, bytesDone=2**50, **from_update(7)))
    assert counted(game)[1] == (1000, 0), "an update that the platform does not know costs at most the archive"


def test_the_source_of_a_copy_is_stored_until_the_copy_is_gone(agent: FleetAgent, game: Game) -> None:
    first = new_build(game)
    agent.report(held(first, "cached"))
    build = new_build(game)

    def source() -> tuple[str | None, int | None, str | None]:
        row = replica(build, "srv-01")
        assert row is not None
        return row.source, row.source_build, row.fallback

    agent.report(held(first, "cached"), held(build, "downloading", **from_update(1)))
    assert source() == ("update", 1, None)
    why = "the pack did not pass its check: chunk 7"
    fallback = {"source": {"kind": "archive", "from": None, "fallback": why}}
    agent.report(held(first, "cached"), held(build, "downloading", **fallback))
    agent.report(held(first, "cached"), held(build, "cached"))
    assert source() == ("archive", None, why), "an agent need not repeat it"
    agent.report(held(first, "cached"))
    assert source() == (None, None, None)


def test_a_very_long_fallback_is_stored_in_part(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    agent.report(held(build, "downloading", source={"kind": "archive", "fallback": "é" * 2000}))
    row = replica(build, "srv-01")
    assert row is not None
    assert row.fallback == "é" * 500


@pytest.mark.parametrize("source", [{"kind": "magic"}, {"from": 1}, {"kind": "update", "from": 0}, "pack"])
def test_a_source_that_breaks_a_rule_is_refused(agent: FleetAgent, game: Game, source: object) -> None:
    answer = agent.send(agent.document(held(new_build(game), "cached", source=source)))
    assert (answer.status_code, "source" in answer.get_json()["message"]) == (400, True)


def test_an_update_from_a_build_that_was_deleted_meanwhile_counts_as_reported(agent: FleetAgent, game: Game) -> None:
    first = new_build(game)
    agent.report(held(first, "cached"))
    second = new_build(game, 5000)
    add_pack(second, pack_bytes=4000, index_bytes=100)
    add_update(second, first, delta_bytes=50, fetched_bytes=250)
    agent.report(held(second, "downloading", bytesDone=1, bytesTotal=300, **from_update(1)))
    with writing() as session:
        session.delete(session.get_one(Build, first.id))
    agent.report(held(second, "cached", bytesTotal=300, bytesDone=300, **from_update(1)))
    assert counted(game)[2] == (300, 4700)
