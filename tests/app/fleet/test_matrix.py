"""What people see of the fleet: contact, states, and the number of queries it takes."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from app.catalog.releasing import release
from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.server import Replica
from app.fleet.active_servers import active_servers
from app.fleet.cache_states import cache_states
from app.fleet.contact import CONTACT_SECONDS
from app.fleet.rollout import matrix
from app.fleet.rollout_summaries import summaries
from app.fleet.servers import add_server, retire_server
from app.web.builds.build_words import cell_words
from tests.app.fleet.acting import STUDIO, FleetAgent, held, last_heard, new_build, new_game
from tests.app.fleet.counting import statements
from tests.conftest import Cast, bearer


@pytest.fixture
def build(game: Game) -> Build:
    return new_build(game, size=1000)


def states(game: Game, number: int = 1) -> list[str]:
    """The cells of one build's row, in server order."""
    db.session.rollback()
    row = next(row for row in matrix(game).rows if row.build.number == number)
    return [cell.state for cell in row.cells]


def test_a_server_has_not_started_before_its_first_report(agent: FleetAgent, game: Game, build: Build) -> None:
    assert states(game) == ["not_started"] * 3
    agent.report(held(build, "pending"))
    assert states(game) == ["queued", "not_started", "not_started"]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"phase": "pending"}, "queued"),
        ({"phase": "downloading", "bytesDone": 620}, "downloading"),
        ({"phase": "verifying", "bytesDone": 880}, "verifying"),
        ({"phase": "cached"}, "cached"),
        ({"phase": "failed", "attempt": 2, "retryInSeconds": 40}, "retrying"),
        ({"phase": "failed", "attempt": 6, "retryInSeconds": 300}, "failed"),
        ({"phase": "evicting"}, "removing"),
    ],
)
def test_every_phase_has_its_state_and_all_are_lost_with_the_contact(
    agent: FleetAgent, game: Game, build: Build, said: dict[str, object], state: str
) -> None:
    agent.report(held(build, "pending") | said)
    assert states(game)[0] == state
    last_heard("srv-01", CONTACT_SECONDS / 2)
    assert states(game)[0] == state
    last_heard("srv-01", CONTACT_SECONDS + 1)
    db.session.rollback()
    cell = matrix(game).rows[0].cells[0]
    assert (cell.state, cell.before, cell.bytes_per_second) == ("no_contact", state, 0)
    assert cell.since == cell.reported_at, "contact was lost when the server last spoke"
    assert "%" not in str(cell_words(cell)), "never the last percentage of a server that is silent"


def test_contact_is_back_with_the_first_report(agent: FleetAgent, game: Game, build: Build) -> None:
    agent.report(held(build, "downloading", bytesDone=500))
    last_heard("srv-01", 3600)
    assert states(game)[0] == "no_contact"
    agent.report(held(build, "downloading", bytesDone=500))
    assert states(game)[0] == "downloading"


def test_bytes_still_to_send_are_those_of_the_live_build(
    client: FlaskClient, agent: FleetAgent, game: Game, build: Build, cast: Cast
) -> None:
    agent.report(held(build, "downloading", bytesDone=250))
    FleetAgent(client, cast.servers["srv-02"]).report(held(build, "cached"))
    assert matrix(game).bytes_to_send == 750 + 0 + 1000


def test_sync_tells_speed_only_while_there_is_contact(client: FlaskClient, agent: FleetAgent, cast: Cast) -> None:
    game = new_game(cast.starlight.partner_id, "lost")
    build = new_build(game, size=1000)
    agent.report(held(build, "downloading", bytesDone=400, bytesPerSecond=90))

    def of_first_server() -> dict[str, object]:
        answer = client.get("/api/partners/games/lost/sync", headers=bearer(cast.starlight.key))
        found: dict[str, object] = answer.get_json()["servers"][0]
        return found

    assert of_first_server()["bytesPerSecond"] == 90
    last_heard("srv-01", CONTACT_SECONDS + 1)
    assert (of_first_server()["bytesPerSecond"], of_first_server()["status"]) == (0, "pending")


def test_rows_are_the_live_build_then_newer_then_older_ones_that_somebody_holds(
    agent: FleetAgent, game: Game, build: Build
) -> None:
    agent.report(held(build, "cached"))
    new_build(game)
    new_build(game)
    release(game, 2, STUDIO)
    assert [(row.build.number, row.live) for row in matrix(game).rows] == [(2, True), (3, False), (1, False)]


def test_what_only_a_retired_server_held_is_no_row(
    client: FlaskClient, agent: FleetAgent, game: Game, build: Build, cast: Cast
) -> None:
    other = FleetAgent(client, cast.servers["srv-02"])
    second = new_build(game)
    agent.report(held(second, "cached"), held(build, "cached"))
    other.report(held(second, "cached"))
    assert [row.build.number for row in matrix(game).rows] == [2, 1]
    retire_server("srv-01", STUDIO)
    found = matrix(game)
    assert [row.build.number for row in found.rows] == [2]
    assert [server.id for server in found.servers] == ["srv-02", "srv-03"]


def test_a_live_build_is_shown_however_many_newer_ones_there_are(game: Game, build: Build) -> None:
    columns = {"size": 1, "unpacked_bytes": 1, "members": 1, "launcher": "a.sh", "top_directory": "a", "sent_by": "CI"}
    newer = [
        {"id": f"b{n}", "game_id": game.id, "number": n, "object_key": f"k{n}", "sha256": f"{n}", **columns}
        for n in range(2, 260)
    ]
    with writing() as session:
        session.execute(insert(Build), newer)
    rows = matrix(game).rows
    assert [(row.build.number, row.live) for row in rows][:2] == [(1, True), (259, False)]


@pytest.mark.slow
def test_a_page_takes_as_many_queries_for_fifty_builds_on_fifteen_servers_as_for_five_on_three(
    game: Game, build: Build
) -> None:
    def fill(builds: int) -> None:
        for _ in range(builds):
            new_build(game)
        with writing() as session:
            for replica in session.query(Replica):
                replica.phase = "cached"

    def queries() -> list[int]:
        counts = []
        for ask in (
            matrix,
            lambda game: cache_states(game.released_build_id),
            lambda game: summaries([game], active_servers(), 40),
        ):
            found = db.session.get_one(Game, game.id, populate_existing=True)
            with statements() as sent:
                ask(found)
            counts.append(sent.queries)
        return counts

    fill(4)
    few = queries()
    for number in range(4, 16):
        add_server(f"srv-{number:02}", "fra", STUDIO)
    fill(45)
    assert queries() == few
    assert max(few) <= 8


@pytest.mark.slow
def test_a_list_of_games_takes_as_many_queries_for_fifty_as_for_five(cast: Cast) -> None:
    def queries(games: list[Game]) -> int:
        with statements() as sent:
            found = summaries(games, active_servers(), 40)
        assert len(found) == len(games)
        return sent.queries

    for number in range(50):
        game = new_game(cast.starlight.partner_id)
        if number < 40:
            new_build(game)
    db.session.rollback()
    games = list(db.session.scalars(select(Game).execution_options(populate_existing=True)))
    assert queries(games[:5]) == queries(games)
