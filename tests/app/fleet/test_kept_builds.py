"""Builds that servers keep for rolling back: what the plan says of them, through releases, evictions and settings."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.catalog.games import delete_game, update_game
from app.catalog.releasing import release
from app.catalog.retention import apply_retention, delete_build
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Build, Game
from app.data.models.server import Server
from app.fleet.release_preview import preview
from app.fleet.rollout import matrix
from app.fleet.servers import MAX_KEEP_PREVIOUS, pause_server, retire_server, set_keep_previous
from app.refusals import InvalidRequest, NotFound
from tests.app.fleet.acting import STUDIO, FleetAgent, held, keep_previous, new_build, new_game, phase
from tests.app.fleet.packs import add_pack, add_update
from tests.conftest import Cast


def kept(agent: FleetAgent) -> list[int]:
    """Numbers of the builds that the plan says to keep, and not to fetch."""
    return sorted(build["build"] for build in agent.plan()["builds"] if build["keep"])


@pytest.fixture
def two_cached(agent: FleetAgent, game: Game) -> tuple[Build, Build]:
    """The build before and the live one, both cached on srv-01."""
    first = new_build(game)
    agent.report(held(first, "cached"))
    second = new_build(game)
    agent.report(held(first, "cached"), held(second, "cached"))
    return first, second


def numbers(game: Game) -> list[int]:
    db.session.rollback()
    return sorted(db.session.scalars(select(Build.number).where(Build.game_id == game.id)))


def test_the_build_before_stays_in_the_plan_to_be_kept(agent: FleetAgent, two_cached: tuple[Build, Build]) -> None:
    assert agent.wanted() == [(1, False), (2, True)]
    assert kept(agent) == [1]
    assert agent.evictions() == []


def test_rolling_back_to_a_kept_build_makes_it_active_and_keeps_the_newer_one(
    agent: FleetAgent, game: Game, two_cached: tuple[Build, Build]
) -> None:
    release(game, 1, STUDIO)
    assert agent.wanted() == [(1, True), (2, False)]
    assert kept(agent) == [2]
    assert phase(two_cached[0], "srv-01") == "cached", "nothing is sent again"


def test_only_the_build_before_the_live_one_is_kept(
    agent: FleetAgent, game: Game, two_cached: tuple[Build, Build]
) -> None:
    first, second = two_cached
    third = new_build(game)
    assert agent.wanted() == [(2, False), (3, True)], "build 2 is played until build 3 is here, and build 1 may go"
    assert (kept(agent), agent.evictions()) == ([], [1])
    agent.report(held(second, "cached"), held(third, "cached"))
    assert (kept(agent), agent.evictions()) == ([2], [])
    assert phase(first, "srv-01") == "removed"


def test_a_kept_build_that_is_evicted_for_space_is_not_fetched_again(
    agent: FleetAgent, two_cached: tuple[Build, Build]
) -> None:
    first, second = two_cached
    version = agent.plan()["version"]
    receipt = agent.report(held(first, "removed"), held(second, "cached"))
    assert receipt["planVersion"] > version
    assert agent.wanted() == [(2, True)]
    assert (agent.evictions(), phase(first, "srv-01")) == ([], "removed")


def test_a_server_that_never_had_the_build_before_is_not_sent_it(
    client: FlaskClient, cast: Cast, agent: FleetAgent, two_cached: tuple[Build, Build]
) -> None:
    other = FleetAgent(client, cast.servers["srv-02"])
    other.report(held(two_cached[1], "cached"))
    assert other.wanted() == [(2, True)]


def test_an_operator_sets_how_many_builds_a_server_keeps(
    agent: FleetAgent, game: Game, two_cached: tuple[Build, Build]
) -> None:
    set_keep_previous("srv-01", 0, STUDIO)
    assert (agent.wanted(), agent.evictions()) == ([(2, True)], [1])
    set_keep_previous("srv-01", 2, STUDIO)
    assert kept(agent) == [1], "it is still on the disk"
    first, second = two_cached
    third = new_build(game)
    agent.report(held(first, "cached"), held(second, "cached"), held(third, "cached"))
    assert kept(agent) == [1, 2]
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "server.keep_previous")).all()
    assert [(entry.subject, entry.details) for entry in entries] == [
        ("srv-01", {"builds": 0}),
        ("srv-01", {"builds": 2}),
    ]
    set_keep_previous("srv-01", 2, STUDIO)
    assert len(db.session.scalars(select(AuditEntry).where(AuditEntry.action == "server.keep_previous")).all()) == 2


@pytest.mark.parametrize("builds", [-1, MAX_KEEP_PREVIOUS + 1])
def test_the_setting_has_limits(cast: Cast, builds: int) -> None:
    with pytest.raises(InvalidRequest, match="from 0 to 20 builds"):
        set_keep_previous("srv-01", builds, STUDIO)


def test_a_retired_or_unknown_server_has_no_setting(cast: Cast) -> None:
    retire_server("srv-01", STUDIO)
    for server_id in ("srv-01", "srv-99"):
        with pytest.raises(NotFound):
            set_keep_previous(server_id, 1, STUDIO)


def test_a_new_server_keeps_one(cast: Cast) -> None:
    assert set(db.session.scalars(select(Server.keep_previous))) == {1}


def test_retention_leaves_a_kept_build_until_the_server_no_longer_keeps_it(
    agent: FleetAgent, game: Game, two_cached: tuple[Build, Build]
) -> None:
    update_game(game, {"keep_builds": 1}, STUDIO)
    assert apply_retention(game.id) == []
    set_keep_previous("srv-01", 0, STUDIO)
    apply_retention(game.id)
    assert numbers(game) == [2]


def test_a_person_may_delete_a_kept_build_and_servers_remove_it(
    agent: FleetAgent, game: Game, two_cached: tuple[Build, Build]
) -> None:
    version = agent.plan()["version"]
    delete_build(game, 1, STUDIO)
    plan = agent.plan()
    assert plan["version"] > version
    assert [build["build"] for build in plan["builds"]] == [2], "agents remove what the plan does not name"


def test_a_paused_server_keeps_its_kept_builds_whatever_is_released(
    agent: FleetAgent, game: Game, two_cached: tuple[Build, Build]
) -> None:
    pause_server("srv-01", True, STUDIO)
    new_build(game)
    assert agent.wanted() == [(1, False), (2, False)]
    assert agent.evictions() == []
    update_game(game, {"keep_builds": 1}, STUDIO)
    assert apply_retention(game.id) == []


def test_nothing_is_kept_of_a_deleted_game(agent: FleetAgent, game: Game, two_cached: tuple[Build, Build]) -> None:
    delete_game(game, STUDIO)
    assert (agent.wanted(), agent.evictions()) == ([], [1, 2])


def test_a_session_may_run_on_a_kept_build(agent: FleetAgent, game: Game) -> None:
    first = new_build(game)
    agent.report(held(first, "cached"))
    second = new_build(game)
    agent.report(held(first, "cached"), held(second, "cached"))
    running = {"id": "s-1", "gameId": game.id, "build": 1, "startedAt": "2026-01-01T10:00:00Z"}
    assert agent.report(held(first, "cached"), held(second, "cached"), sessions=[running])["ignoredSessions"] == []


def test_new_sessions_never_start_on_a_kept_build_while_the_live_one_is_here(
    agent: FleetAgent, game: Game, two_cached: tuple[Build, Build]
) -> None:
    assert agent.start(game.id).get_json()["build"] == 2


def test_through_many_releases_and_rollbacks_rolling_back_never_fetches(
    client: FlaskClient, cast: Cast, agent: FleetAgent
) -> None:
    """The agent does as the plan says; whenever the game goes back to the build before, that build is there."""
    keep_previous(1)
    game = new_game(cast.starlight.partner_id)
    builds = {1: new_build(game)}
    here = {1}
    before: int | None = None
    live = 1

    def follow() -> set[int]:
        """Fetch what is missing, remove what is not in the plan. Returns what was fetched."""
        plan = agent.plan()["builds"]
        missing = {build["build"] for build in plan if not build["keep"]} - here
        here.update(missing)
        here.intersection_update({build["build"] for build in plan})
        agent.report(*(held(builds[number], "cached") for number in sorted(here)))
        here.intersection_update({build["build"] for build in agent.plan()["builds"]})
        agent.report(*(held(builds[number], "cached") for number in sorted(here)))
        return missing

    follow()
    for step in ["new", "back", "new", "new", "back", "back", "new", "back", "new", "back"]:
        if step == "new":
            number = len(builds) + 1
            builds[number] = new_build(game)
            before, live = live, number
            assert follow() == {live}
        else:
            assert before is not None
            release(game, before, STUDIO)
            before, live = live, before
            assert follow() == set(), "rolling back fetches nothing"
        assert here == {live, before}


def test_a_forecast_updates_from_builds_that_stay_only(
    agent: FleetAgent, game: Game, two_cached: tuple[Build, Build], cast: Cast
) -> None:
    """A server removes builds that it does not keep before it fetches the next one."""
    first, second = two_cached
    release(game, 1, STUDIO)
    agent.report(held(first, "cached"), held(second, "cached"))
    update_game(game, {"auto_release": False}, STUDIO)
    third = new_build(game)
    for build in (first, second, third):
        add_pack(build, pack_bytes=9000, index_bytes=90)
    add_update(third, first, patch_bytes=500)
    add_update(third, second, patch_bytes=100)

    def forecast() -> tuple[int | None, list[int]]:
        db.session.rollback()
        found = next(server for server in preview(game, third).servers if server.server_id == "srv-01")
        row = next(row for row in matrix(game).rows if row.build.number == 3)
        cell = next(cell for cell in row.cells if cell.server_id == "srv-01")
        assert cell.to_fetch == found.bytes_to_fetch
        return found.from_build, found.has

    assert forecast() == (1, [1, 2]), "the second is cheaper, and removed at the release"
    keep_previous(2)
    assert forecast() == (2, [1, 2])
