"""Pages, the API and the command line show the same numbers for the same thing: one fleet, its servers in twelve
states."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.config.settings import Settings
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.server import Replica, Server
from app.fleet.overviews.fleet_overview import fleet_overview
from app.fleet.overviews.partner_overview import partner_overview
from app.fleet.rollout import matrix
from app.fleet.servers import add_server
from app.topics.names import FLEET_TOPIC, partner_topic
from app.web.frame.formats import NO_BREAK_SPACE, format_size
from tests.app.fleet.acting import FleetAgent, held, last_heard, new_build, new_game
from tests.app.uploads.raw.live import Gunicorn
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import plain
from tests.conftest import CAST, Cast, bearer
from tests.slipway.cli.cli_process import Slipway

pytestmark = [ONE_DATABASE, pytest.mark.slow]

# Server -> what its agent reports of build 2, or None if it never reports; its state; seconds since the report.
FLEET: dict[str, tuple[dict[str, Any] | None, str, int]] = {
    "srv-01": ({"phase": "cached"}, "cached", 0),
    "srv-02": ({"phase": "cached"}, "cached", 0),
    "srv-03": ({"phase": "cached"}, "no_contact", 600),
    "srv-04": ({"phase": "downloading", "bytesDone": 400}, "no_contact", 600),
    "srv-05": (None, "not_started", 0),
    "srv-06": ({"phase": "pending"}, "queued", 0),
    "srv-07": ({"phase": "downloading", "bytesDone": 620}, "downloading", 0),
    "srv-08": ({"phase": "verifying", "bytesDone": 880}, "verifying", 0),
    "srv-09": ({"phase": "failed", "attempt": 2, "retryInSeconds": 40, "reason": "reset"}, "retrying", 0),
    "srv-10": ({"phase": "failed", "attempt": 7, "retryInSeconds": 300, "reason": "disk full"}, "failed", 0),
    "srv-11": ({"phase": "pending"}, "queued", 0),
    "srv-12": ({"phase": "cached"}, "cached", 0),
}
SERVERS = len(FLEET)
CACHED_NEW, CACHED_OLD = 3, 2  # the old build: srv-06, srv-07; srv-03 has it too, and no contact


@pytest.fixture
def fleet(cast: Cast, client: FlaskClient) -> Game:
    """A game whose build 2 is on its way from build 1."""
    game = new_game(cast.starlight.partner_id, "paper-lanterns")
    old = new_build(game, 1000)
    tokens = dict(cast.servers)
    for number in range(len(tokens) + 1, SERVERS + 1):
        tokens[f"srv-{number:02}"] = add_server(f"srv-{number:02}", "fra", CAST)[1]
    agents = {name: FleetAgent(client, token) for name, token in tokens.items() if FLEET[name][0]}
    for name in ("srv-03", "srv-06", "srv-07"):
        agents[name].report(held(old, "cached"))
    new = new_build(game, 1000)
    for name, agent in agents.items():
        before = [held(old, "cached")] if name in {"srv-03", "srv-06", "srv-07"} else []
        agent.report(*before, held(new, "pending") | (FLEET[name][0] or {}))
    for name, (_, _, silent) in FLEET.items():
        if silent:
            last_heard(name, silent)
    with writing() as session:
        session.get_one(Server, "srv-11").paused_at = session.get_one(Server, "srv-01").created_at
    return game


def counts_in(text: str, what: str) -> set[tuple[int, int]]:
    """Every `WHAT 3 of 12` of a text."""
    return {(int(some), int(every)) for some, every in re.findall(rf"{what} (\d+) of (\d+)", text, re.IGNORECASE)}


def test_one_number_for_one_thing(
    fleet: Game,
    owner: Visitor,
    signed_in: Callable[[str], Visitor],
    client: FlaskClient,
    cast: Cast,
    settings: Settings,
    tmp_path: Path,
) -> None:
    game, operator = "/games/paper-lanterns", signed_in(cast.operator)
    new, old = {(CACHED_NEW, SERVERS)}, {(CACHED_OLD, SERVERS)}

    overview = plain(owner.get(game).text)
    assert counts_in(overview, "cached on") == new | old  # the rows of the matrix, and the builds table
    assert old <= counts_in(plain(owner.get(f"{game}/builds").text), "cached on") <= new | old
    assert counts_in(plain(owner.get(f"{game}/builds/2").text), "cached on") == new
    assert counts_in(plain(owner.get(f"{game}/builds/1").text), "cached on") == old
    chips = Counter(state for _, state, _ in FLEET.values())
    for state in set(chips):
        assert f"{chips[state]} {state.replace('_started', ' started yet').replace('_', ' ')}" in overview
    assert "Failed on 1 of 12" in plain(owner.get("/games").text)

    def api(path: str) -> Any:
        answer = client.get(f"/api/partners{game}{path}", headers=bearer(cast.starlight.key))
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    assert api("")["cacheStatus"] == {"servers": SERVERS, "cached": CACHED_NEW}
    sync = api("/sync")
    assert (sync["totalServers"], sync["cachedOn"], sync["pendingSync"]) == (SERVERS, CACHED_NEW, SERVERS - CACHED_NEW)
    assert {server["id"]: server["state"] for server in sync["servers"]} == {
        name: state for name, (_, state, _) in FLEET.items()
    }
    assert all((server["status"] == "cached") == (server["state"] == "cached") for server in sync["servers"])
    assert [build["cachedOn"] for build in api("/builds")["builds"]] == [CACHED_NEW, CACHED_OLD]
    forecast = api("/releases/preview?build=2")
    assert {server["id"]: server["state"] for server in forecast["servers"]} == {
        name: state for name, (_, state, _) in FLEET.items()
    }
    assert [server["id"] for server in forecast["servers"] if server["contact"] and 1 in server["has"]] == [
        "srv-06",
        "srv-07",
    ]

    server = Gunicorn(settings, tmp_path / "gunicorn.log").start()
    for name, (report, _, silent) in FLEET.items():
        if report and not silent:
            last_heard(name, 0)  # on a busy machine the start takes longer than a server may be silent
    try:
        slipway = Slipway(tmp_path / "home", {"SLIPWAY_URL": server.address, "SLIPWAY_KEY": cast.starlight.key})
        status = slipway("status", "paper-lanterns", "--json").result
        assert (status["cachedOn"], status["totalServers"]) == (CACHED_NEW, SERVERS)
        assert counts_in(slipway("status", "paper-lanterns").out, "cached on") == new
        builds = slipway("builds", "paper-lanterns", "--json").result["builds"]
        assert [build["cachedOn"] for build in builds] == [CACHED_NEW, CACHED_OLD]
    finally:
        server.kill()

    for name, (_, state, _) in FLEET.items():
        page = operator.get(f"/operator/servers/{name}").text
        states = set(re.findall(r'class="holds" data-state="([\w-]+)"', page))
        expected = {"no_contact": "no-contact", "not_started": "queued"}.get(state, state)
        assert states == {expected} | ({"cached"} if name in {"srv-06", "srv-07"} else set()), name


def cached_in(page: str, server: str) -> str:
    """The count of cached live builds in a server's row of a list: `2 of 4`, or `—`."""
    row = page[page.index(f'id="server-{server}"') :]
    cell = re.search(r'<td role="cell" class="cached[^"]*">(.*?)</td>', row, re.DOTALL)
    assert cell, page
    return plain(cell[1]).strip().removeprefix("Your live builds cached: ")


def test_live_builds_are_counted_once_for_studios_operators_scripts_and_commands(
    app: Flask, fleet: Game, owner: Visitor, signed_in: Callable[[str], Visitor], client: FlaskClient, cast: Cast
) -> None:
    """On srv-06 and srv-07 the build before is cached too: it is not live, and nobody counts it."""
    operator, new = signed_in(cast.operator), new_build(new_game(cast.starlight.partner_id, "night-ferry"))
    with writing() as session:
        session.execute(update(Replica).where(Replica.build_id == new.id).values(phase="cached"))
        announce(FLEET_TOPIC, partner_topic(cast.starlight.partner_id))
    slugs = ("paper-lanterns", "night-ferry")

    def counts(visitor: Visitor, path: str, label: str) -> dict[str, str]:
        """By server, as the list shows them. The page of each server has the same."""
        page = visitor.get(path).text
        assert [label] == re.findall(r"(?:Your live|Live|\w+)? ?builds cached", plain(page[page.index("<thead") :]))[:1]
        found = {server: cached_in(page, server) for server in FLEET}
        for server, words in found.items():
            assert f"{label} {words}" in plain(visitor.get(f"{path}/{server}").text), server
        return found

    def synced() -> list[Any]:
        return [
            client.get(f"/api/partners/games/{slug}/sync", headers=bearer(cast.starlight.key)).get_json()
            for slug in slugs
        ]

    def expected() -> dict[str, str]:
        states: dict[str, list[str]] = {server: [] for server in FLEET}
        for game in synced():
            for server in game["servers"]:
                states[server["id"]].append(server["state"])
        unknown = {"no_contact", "not_started"}
        return {
            server: "—" if unknown & set(each) else f"{each.count('cached')} of {len(each)}"
            for server, each in states.items()
        }

    theirs = counts(owner, "/servers", "Your live builds cached")
    assert theirs == expected()
    assert theirs["srv-06"] == theirs["srv-07"] == "1 of 2"
    assert counts(operator, "/operator/servers", "Live builds cached") == theirs
    listed = json.loads(app.test_cli_runner().invoke(args=["server", "list", "--json"]).stdout)
    pairs = {each["id"]: (each["liveBuildsCached"], each["liveBuilds"]) for each in listed}
    assert {
        server: "—" if cached is None else f"{cached} of {builds}" for server, (cached, builds) in pairs.items()
    } == theirs
    cached, wanted = (sum(game[name] for game in synced()) for name in ("cachedOn", "totalServers"))
    assert f"Live builds cached {cached} of {wanted}" in plain(operator.get("/operator/servers").text)

    new_build(new_game(cast.moonbase.partner_id, "sea-of-rain"))
    assert counts(owner, "/servers", "Your live builds cached") == theirs, "a game of another partner"
    assert counts(operator, "/operator/servers", "Live builds cached")["srv-06"] == "1 of 3"


def test_bytes_still_to_send_are_the_same_sum_everywhere(
    fleet: Game, signed_in: Callable[[str], Visitor], cast: Cast
) -> None:
    db.session.rollback()
    to_send = matrix(fleet).bytes_to_send
    assert to_send == fleet_overview().bytes_to_send
    assert to_send == sum(server.tally.bytes_to_fetch for server in partner_overview(fleet.partner_id).servers)
    shown = plain(signed_in(cast.starlight.owner).get("/games/paper-lanterns").text)
    figures = plain(signed_in(cast.operator).get("/operator/servers").text)
    amount = format_size(to_send).replace(NO_BREAK_SPACE, " ")
    assert f"Still to send: {amount}" in shown, shown
    assert f"Still to send {amount}" in figures, figures


def test_a_server_that_was_just_added_alarms_nobody(owner: Visitor, cast: Cast, client: FlaskClient) -> None:
    game = new_game(cast.starlight.partner_id, "quiet")
    build = new_build(game)
    for token in cast.servers.values():
        FleetAgent(client, token).report(held(build, "cached"))
    before = plain(owner.get("/games/quiet").text)
    assert "Cached on 3 of 3" in before
    add_server("srv-99", "fra", CAST)
    after = owner.get("/games/quiet").text
    assert "Cached on 3 of 4" in plain(after)
    assert "No contact" not in plain(after)
    assert re.search(r"<title>quiet", after)
    page = owner.get("/servers").text
    assert "Not started yet" in plain(page)
    assert "No contact" not in plain(page)
