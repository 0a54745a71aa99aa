"""The fleet at a glance: what partners see of the servers, what operators see, and what one server holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.server import Replica
from app.fleet.overviews.fleet_overview import FleetServer, find_fleet_server, fleet_overview
from app.fleet.overviews.partner_overview import PartnerServer, find_partner_server, partner_overview
from app.fleet.retries import retry_failed
from app.fleet.rollout import matrix
from app.fleet.server_builds import server_builds
from app.fleet.servers import pause_server, retire_server, roll_token
from app.refusals import Conflict, NotFound
from app.topics.names import FLEET_TOPIC, game_topic, partner_topic
from app.topics.versions import stored_version
from tests.app.fleet.acting import STUDIO, FleetAgent, held, last_heard, new_build, new_game, replica
from tests.app.fleet.counting import statements
from tests.conftest import Cast

FULL = "disk full: 7.4 GiB needed above the floor of 1.9 GiB, 1.0 GiB free"


@pytest.fixture
def agents(client: FlaskClient, cast: Cast) -> dict[str, FleetAgent]:
    """An agent on each of the three servers; each has reported."""
    found = {server: FleetAgent(client, token) for server, token in cast.servers.items()}
    for agent in found.values():
        agent.report()
    return found


@pytest.fixture
def later(agents: dict[str, FleetAgent]) -> Callable[..., None]:
    """`later("srv-01", …builds)`: the server's next report, a second later."""

    def report(server: str, *builds: dict[str, object], **more: object) -> None:
        last_heard(server, 1)
        agents[server].report(*builds, **more)

    return report


def theirs(cast: Cast) -> dict[str, PartnerServer]:
    db.session.rollback()
    return {server.id: server for server in partner_overview(cast.starlight.partner_id).shown}


def fleet() -> dict[str, FleetServer]:
    db.session.rollback()
    return {server.id: server for server in fleet_overview().shown}


# --- what partners see


def test_a_partner_without_a_release_has_nothing_on_the_servers(cast: Cast, agents: dict[str, FleetAgent]) -> None:
    overview = partner_overview(cast.starlight.partner_id)
    assert {server.tally.builds for server in overview.servers} == {0}
    assert {server.state for server in overview.servers} == {"nothing"}


def test_each_server_shows_the_worst_of_the_partners_builds(cast: Cast, game: Game, later: Callable[..., None]) -> None:
    one, two = new_build(game, 1000), new_build(new_game(cast.starlight.partner_id), 500)
    later("srv-01", held(one, "cached"), held(two, "failed", attempt=9, reason=FULL))
    later("srv-02", held(one, "downloading", bytesDone=620, bytesPerSecond=10), held(two, "cached"))
    later("srv-03", held(one, "cached"), held(two, "cached"))

    overview = partner_overview(cast.starlight.partner_id)

    assert [(server.id, server.state) for server in overview.servers] == [
        ("srv-01", "failed"),
        ("srv-02", "downloading"),
        ("srv-03", "up_to_date"),
    ]
    assert overview.counts == {"failed": 1, "downloading": 1, "up_to_date": 1}
    found = theirs(cast)
    failure = found["srv-01"].failure
    assert failure
    assert (failure.game, failure.build, failure.reason) == (
        db.session.get_one(Game, two.game_id).title,
        1,
        FULL,
    )
    assert [(found[s].tally.cached, found[s].tally.builds) for s in sorted(found)] == [(1, 2), (1, 2), (2, 2)]
    assert [found[s].tally.bytes_to_fetch for s in sorted(found)] == [500, 380, 0]
    assert (found["srv-02"].tally.percent, found["srv-02"].tally.bytes_per_second) == (62, 10)


def test_up_to_five_tries_are_called_retrying(cast: Cast, game: Game, later: Callable[..., None]) -> None:
    build = new_build(game)
    later("srv-01", held(build, "failed", attempt=5, reason="x", retryInSeconds=40))
    assert theirs(cast)["srv-01"].state == "retrying"
    later("srv-01", held(build, "failed", attempt=6, reason="x", retryInSeconds=40))
    assert theirs(cast)["srv-01"].state == "failed"


def test_what_was_not_sent_yet_is_queued(cast: Cast, game: Game, agents: dict[str, FleetAgent]) -> None:
    new_build(game, 1000)
    found = theirs(cast)["srv-01"]
    assert (found.state, found.tally.cached, found.tally.bytes_to_fetch) == ("queued", 0, 1000)


def test_one_servers_queue_is_summed_up_without_the_copies_of_the_others(
    cast: Cast, game: Game, agents: dict[str, FleetAgent]
) -> None:
    build = new_build(game, 700)
    loaded: list[str] = []

    def note(row: Replica, _: object) -> None:
        loaded.append(row.server_id)

    db.session.rollback()
    event.listen(Replica, "load", note)
    try:
        found = find_partner_server(cast.starlight.partner_id, "srv-02")
    finally:
        event.remove(Replica, "load", note)
    assert found is not None
    assert found.tally.bytes_to_fetch == build.size
    assert loaded == ["srv-02"]


def test_a_silent_server_has_no_contact_and_says_nothing_else(
    cast: Cast, game: Game, later: Callable[..., None]
) -> None:
    build = new_build(game)
    later("srv-01", held(build, "downloading", bytesDone=500, bytesPerSecond=100))
    last_heard("srv-01", 31)
    found = theirs(cast)["srv-01"]
    assert (found.state, found.failure) == ("no_contact", None)
    assert found.last_hour[-1] < 100 * 60, "the rate it had then is not the present one"


def test_a_server_that_never_reported_is_not_lost(cast: Cast, game: Game) -> None:
    new_build(game)
    assert {server.state for server in theirs(cast).values()} == {"not_started"}


def test_another_partners_builds_are_not_seen(cast: Cast, game: Game, later: Callable[..., None]) -> None:
    ours, other = new_build(game), new_build(new_game(cast.moonbase.partner_id))
    later("srv-01", held(ours, "cached"), held(other, "failed", attempt=9, reason=FULL))
    later("srv-01", held(ours, "cached"), held(other, "downloading", bytesDone=900, bytesPerSecond=900))
    found = theirs(cast)["srv-01"]
    assert (found.state, found.tally.builds, found.failure) == ("up_to_date", 1, None)
    assert (found.tally.bytes_per_second, sum(found.last_hour)) == (0, 1000), "only what came of ours"


def test_only_released_builds_count(cast: Cast, game: Game, later: Callable[..., None]) -> None:
    old = new_build(game)
    later("srv-01", held(old, "cached"))
    new_build(game)
    found = theirs(cast)["srv-01"]
    assert (found.state, found.tally.builds, found.tally.cached) == ("queued", 1, 0)


def test_the_present_rate_leads_the_last_hour(cast: Cast, game: Game, later: Callable[..., None]) -> None:
    build = new_build(game, 10**6)
    later("srv-01", held(build, "downloading", bytesDone=1000, bytesPerSecond=1000))
    hour = theirs(cast)["srv-01"].last_hour
    assert (len(hour), hour[-1]) == (60, 60_000)


# --- what operators see


def test_a_server_is_shown_as_it_reported(
    game: Game, later: Callable[..., None], agents: dict[str, FleetAgent]
) -> None:
    build = new_build(game, 1000)
    later("srv-01", held(build, "cached"), bytesPerSecond=7, disk={"totalBytes": 10, "freeBytes": 4, "floorBytes": 1})
    assert agents["srv-01"].start(game.id).status_code == 201
    found = fleet()["srv-01"]
    assert (found.state, found.since, found.agent_version) == ("healthy", None, "0.1.0")
    assert (found.disk_used, found.disk_total, found.bytes_per_second) == (6, 10, 7)
    assert (found.tally.cached, found.tally.builds, found.sessions) == (1, 1, 1)


def test_the_figures_are_sums_over_the_fleet(game: Game, later: Callable[..., None]) -> None:
    build = new_build(game, 1000)
    disk = {"totalBytes": 10, "freeBytes": 4, "floorBytes": 1}
    later("srv-01", held(build, "cached"), disk=disk)
    later("srv-02", held(build, "downloading", bytesDone=400, bytesPerSecond=5), bytesPerSecond=5, disk=disk)
    later("srv-03", held(build, "downloading", bytesDone=1, bytesPerSecond=9), bytesPerSecond=9, disk=disk)
    last_heard("srv-03", 31)
    found = fleet_overview()
    assert (found.bytes_per_second, found.bytes_to_send) == (5, 600 + 999)
    assert (found.cached, found.wanted, found.disk_used, found.disk_total) == (1, 3, 18, 30)


def test_troubles_are_named_worst_first(
    client: FlaskClient, cast: Cast, game: Game, later: Callable[..., None], agents: dict[str, FleetAgent]
) -> None:
    build = new_build(game)
    later("srv-02", held(build, "failed", attempt=7, reason=FULL))
    last_heard("srv-03", 40)
    found = fleet_overview()
    assert [(server.id, server.state) for server in found.servers] == [
        ("srv-02", "failed"),
        ("srv-03", "no_contact"),
        ("srv-01", "healthy"),
    ]
    intruder = FleetAgent(client, cast.servers["srv-01"])
    assert intruder.send(intruder.document()).status_code == 409
    pause_server("srv-01", True, STUDIO)
    assert fleet()["srv-01"].state == "conflict", "what is worst is said first"


def test_a_failing_server_names_its_worst_build(game: Game, later: Callable[..., None]) -> None:
    one, two = new_build(game), new_build(new_game(game.partner_id, title="Night Ferry"))
    later(
        "srv-01",
        held(one, "failed", attempt=2, reason="connection reset"),
        held(two, "failed", attempt=8, reason=FULL),
    )
    failure = fleet()["srv-01"].failure
    assert failure
    assert (failure.game, failure.attempt, failure.reason) == ("Night Ferry", 8, FULL)


def test_a_server_whose_agent_cannot_read_its_disk_is_unwell(later: Callable[..., None]) -> None:
    sick = {"status": "error", "containers": 0, "cpu_percent": 1, "memory_percent": 1, "disk_percent": 0}
    later("srv-01", health=sick)
    assert fleet()["srv-01"].state == "unwell"


def test_a_retired_server_is_gone_from_both(cast: Cast, game: Game, agents: dict[str, FleetAgent]) -> None:
    retire_server("srv-02", STUDIO)
    assert list(fleet()) == list(theirs(cast)) == ["srv-01", "srv-03"]


def test_one_server_can_be_asked_for(agents: dict[str, FleetAgent]) -> None:
    everything = {server.id: server for server in fleet_overview().shown}
    assert find_fleet_server("srv-02") == everything["srv-02"]
    assert find_fleet_server("srv-99") is None


@pytest.mark.slow
def test_questions_cost_the_same_for_fifty_builds_as_for_twenty_five(cast: Cast, later: Callable[..., None]) -> None:
    questions: list[Callable[[], object]] = [
        lambda: partner_overview(cast.starlight.partner_id),
        fleet_overview,
        lambda: server_builds("srv-01", 20),
    ]

    def queries(games: int) -> list[int]:
        """How many each question takes once there are that many more builds."""
        builds = [new_build(new_game(cast.starlight.partner_id)) for _ in range(games)]
        later("srv-01", *(held(build, "failed", attempt=3, reason="x") for build in builds))
        found = []
        for ask in questions:
            with statements() as sent:
                ask()
            found.append(sent.queries)
        return found

    few, many = queries(25), queries(25)  # both are more than a server's page shows, so both are counted
    assert few == many
    assert max(many) <= 9


# --- what one server holds


def test_holdings_are_worst_first_with_what_they_take(game: Game, later: Callable[..., None]) -> None:
    one = new_build(game, 100)
    two, three = (new_build(new_game(game.partner_id, title=title), 100) for title in ("B", "A"))
    later("srv-01", held(one, "cached"), held(two, "downloading", bytesDone=40), held(three, "failed", attempt=3))
    found = server_builds("srv-01", 10)
    assert [(each.game, each.state) for each in found.shown] == [
        ("A", "retrying"),
        ("B", "downloading"),
        ("paper-lanterns", "cached"),
    ]
    assert (found.shown[1].bytes_done, found.shown[1].bytes_total) == (40, 100)
    assert (found.shown[2].bytes_unpacked, found.shown[2].live, found.shown[2].partner) == (
        300,
        True,
        "Starlight Studio",
    )
    assert found.count == 3


def test_sessions_are_counted_by_build(game: Game, agents: dict[str, FleetAgent], later: Callable[..., None]) -> None:
    first = new_build(game)
    later("srv-01", held(first, "cached"))
    agents["srv-01"].start(game.id)
    second = new_build(game)
    later("srv-01", held(first, "cached"), held(second, "pending"))
    assert {each.build: (each.sessions, each.live) for each in server_builds("srv-01", 10).shown} == {
        first.number: (1, False),
        second.number: (0, True),
    }


def test_more_than_are_shown_are_counted(game: Game, later: Callable[..., None]) -> None:
    builds = [new_build(game)] + [new_build(new_game(game.partner_id)) for _ in range(3)]
    later("srv-01", *(held(build, "cached") for build in builds))
    found = server_builds("srv-01", 2)
    assert (len(found.shown), found.count) == (2, 4)


# --- what operators do


def test_retrying_asks_for_everything_that_failed_at_once(game: Game, later: Callable[..., None]) -> None:
    one, two, three = (new_build(new_game(game.partner_id)) for _ in range(3))
    failed = {"attempt": 4, "reason": "x", "retryInSeconds": 200}
    later("srv-01", held(one, "failed", **failed), held(two, "failed", **failed), held(three, "cached"))
    assert retry_failed("srv-01", STUDIO) == 2
    assert [asked(build) for build in (one, two, three)] == [(1, None), (1, None), (0, None)]


def asked(build: Build) -> tuple[int, object]:
    found = replica(build, "srv-01")
    assert found
    return found.retries_asked, found.retry_at


def test_a_paused_server_is_not_told_to_retry(cast: Cast) -> None:
    pause_server("srv-01", True, STUDIO)
    with pytest.raises(Conflict, match="srv-01"):
        retry_failed("srv-01", STUDIO)
    with pytest.raises(NotFound):
        retry_failed("srv-99", STUDIO)


def test_pausing_shows_wherever_the_server_is_shown(cast: Cast, game: Game, agents: dict[str, FleetAgent]) -> None:
    new_build(game)
    topics = [FLEET_TOPIC, game_topic(game.id), partner_topic(cast.starlight.partner_id)]
    before = [stored_version(topic) for topic in topics]
    pause_server("srv-01", True, STUDIO)
    assert [stored_version(topic) > version for topic, version in zip(topics, before, strict=True)] == [True] * 3
    assert (theirs(cast)["srv-01"].paused, theirs(cast)["srv-02"].paused) == (True, False)
    cells = matrix(db.session.get_one(Game, game.id)).rows[0].cells
    assert [(cell.state, cell.paused) for cell in cells] == [("queued", True), ("queued", False), ("queued", False)]
    assert fleet()["srv-01"].state == "paused"
    pause_server("srv-01", False, STUDIO)
    assert fleet()["srv-01"].state == "healthy"


def test_a_form_that_is_sent_twice_rolls_a_token_once(cast: Cast, agents: dict[str, FleetAgent]) -> None:
    present = fleet()["srv-01"].token_hint
    token = roll_token("srv-01", STUDIO, present)
    assert token.startswith("srv_")
    with pytest.raises(Conflict, match="shown once"):
        roll_token("srv-01", STUDIO, present)
    assert roll_token("srv-01", STUDIO) != token
