"""One server as a partner sees it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from app.data.database import announce, writing
from app.data.models.base import now
from app.fleet.servers import add_server, pause_server, retire_server
from app.topics.names import game_topic
from tests.app.fleet.counting import statements
from tests.app.web import fleet_scenes, scenes
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import chips, plain, rows
from tests.app.web.scenes import On, Sent
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE
PAGE = "/servers/srv-04"
GARDEN = "The Garden of Forking Paths"
FORKING = "garden-of-forking-paths"
# What a queued build waits for: nothing that can be seen, or builds of others.
BUSY = (
    r"Nothing is being downloaded: its agent has not begun, or an update is being prepared\.|"
    r"Builds of other games are sent first\.|Waiting Next after another game|next after another game|since \d[^.]*? UTC"
)


@pytest.fixture
def garden(cast: Cast, six_servers: list[str]) -> str:
    """One game of Starlight's with one server in each state; its id."""
    return fleet_scenes.garden_on_machines(cast.starlight.partner_id)


def part(page: str, part_id: str) -> str:
    """The text from one live part on."""
    return plain(page[page.index(f'id="{part_id}"') :])


def test_it_says_which_builds_are_missing_and_why(owner: Visitor, garden: str) -> None:
    page = owner.get(PAGE).text
    assert "<title>srv-04: Failed: disk full · Slipway</title>" in page
    assert "Disk full: build 4 of The Garden of Forking Paths 7.4 GiB needed, 1.0 GiB free. Operators" in plain(page)
    live = f"{GARDEN} , build 4: attempts 4 live {GARDEN}, build 4: Failed: disk full 7.4 GiB needed, 1.0 GiB free 0 B"
    assert live in rows(page)[0]
    assert f"{GARDEN} , build 3: attempts 3 {GARDEN}, build 3: Cached 13.2 GiB" in rows(page)[1]
    facts = part(page, "server-facts")
    for fact in ("Region sin", "Last report", "Your live builds cached 0 of 1", "Still to fetch 6.7 GiB", "0 B/s"):
        assert fact in facts

    words = {number: plain(owner.get(f"/servers/srv-0{number}").text) for number in (1, 2, 3, 5, 6)}
    assert "Behind" not in words[1]
    assert "Your live builds cached 1 of 1" in words[1]
    loading = "Behind: 1 of 1 live build is not cached yet 1 downloading. 2.5 GiB to fetch, about 2 min at 17.5 MiB/s."
    assert loading in words[2]
    assert "1 queued. 6.7 GiB to fetch. The oldest queued build waits since" in words[3]
    assert "Retrying 2 of 5" in words[5]
    assert "Connection reset" in words[5]
    assert "No contact since" in words[6]
    assert "continues automatically. You do not need to do anything." in words[6]
    assert "Your live builds cached — Still to fetch — Free space —" in words[6]
    assert "Behind" not in words[6], "without contact nobody can tell"


def test_each_trouble_has_a_label_beside_the_title(owner: Visitor, cast: Cast, garden: str) -> None:
    assert chips(owner.get("/servers/srv-01").text) == ["Up to date"]
    there = [On("srv-04", "failed", attempt=3)]
    scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(on=there)])
    for server in ("srv-01", "srv-03", "srv-04", "srv-05"):
        pause_server(server, True, CAST)
    retrying, paused = chips(owner.get("/servers/srv-05").text)
    assert retrying == "Retrying 2 of 5", "without a time at which nothing happens"
    assert paused.startswith("Downloads paused since ")
    failed, more, paused = chips(owner.get(PAGE).text)
    assert (failed, more) == ("Failed: disk full", "1 more build failed")
    assert paused.startswith("Downloads paused since ")
    assert "It retries when the downloads are resumed." in plain(owner.get(PAGE).text)
    assert "automatically" not in part(owner.get(PAGE).text, "server-builds")
    assert chips(owner.get("/servers/srv-03").text) == ["Queued, downloads paused"], "named once"
    assert chips(owner.get(f"/games/{FORKING}/builds/4/servers/srv-04").text) == [
        "Failed: disk full",
        "Downloads paused",
    ]
    assert chips(owner.get(f"/games/{FORKING}/builds/3/servers/srv-04").text) == ["Cached"]


def test_every_row_leads_to_the_attempts_also_of_old_builds(owner: Visitor, cast: Cast) -> None:
    builds = [Sent(on=[On("srv-01")] if number == 1 else [On("srv-02")]) for number in range(1, 10)]
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns", builds)
    scenes.servers_report()
    links = re.findall(r'<a class="row-link" href="([^"]+)"', owner.get("/servers/srv-01").text)
    assert links == ["/games/paper-lanterns/builds/1/servers/srv-01"], "older than the rows of the matrix"
    assert "Cached" in plain(owner.get(links[0]).text)
    assert owner.get("/games/paper-lanterns/builds/2/servers/srv-01").status_code == 404


def test_nothing_of_other_partners_is_shown(owner: Visitor, stranger: Visitor, cast: Cast, garden: str) -> None:
    scenes.change(garden, 4, "srv-01", phase="pending")
    fleet_scenes.noticed(cast.starlight.partner_id)
    before = plain(owner.get("/servers/srv-01").text)
    loading = On("srv-01", "downloading", 50, 99_000_000)
    scenes.add_game(cast.moonbase.partner_id, "Sea of Rain", "sea-of-rain", [Sent(on=[loading])])
    failing = Sent(on=[On("srv-01", "failed", attempt=9, reason="disk full: 99 GiB needed")])
    scenes.add_game(cast.moonbase.partner_id, "Sea of Crises", "crises", [failing])
    fleet_scenes.last_hour(cast.moonbase.partner_id)
    fleet_scenes.noticed(cast.starlight.partner_id)

    page = owner.get("/servers/srv-01").text
    for word in ("Sea of", "moonbase", "94.4", "99 GiB", "CPU", "Memory", "1.0.3", "srv_"):
        assert word not in page
    idle = "Nothing is being downloaded: its agent has not begun, or an update is being prepared."
    assert idle in before
    assert "Builds of other games are sent first." in plain(page)
    assert 'class="sparkline' in page
    theirs = stranger.get("/servers/srv-01").text
    assert "Garden" not in theirs
    assert "Your live builds cached 0 of 2" in plain(theirs)
    assert len(rows(theirs)) == 2


def test_what_others_do_changes_one_sentence_and_nothing_else(owner: Visitor, cast: Cast, garden: str) -> None:
    waiting = [On(server, "pending", 0) for server in ("srv-01", "srv-02", "srv-03")]
    tide = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(on=waiting)])
    servers = [f"srv-0{number}" for number in range(1, 7)]
    pages = ["/servers", "/games", "/games/low-tide", f"/games/{FORKING}", "/settings/activity"]
    pages += [f"/servers/{server}" for server in servers]
    pages += [f"/games/low-tide/builds/1/servers/{server}" for server in servers]

    def read() -> dict[str, str]:
        fleet_scenes.noticed(cast.starlight.partner_id)
        with writing():
            announce(game_topic(garden), game_topic(tide))
        answers = {page: owner.get(page) for page in pages}
        assert {answer.status_code for answer in answers.values()} == {200}
        return {page: " ".join(re.sub(BUSY, " ", plain(one.text)).split()) for page, one in answers.items()}

    for server in servers[:-1]:  # on a slow machine too, they stay in contact until the end
        fleet_scenes.columns(server, last_report_at=now() + timedelta(hours=1))
    before = read()
    for number, phase in enumerate(("downloading", "pending", "failed", "verifying", "cached")):
        theirs = [On(server, phase, 50, 99_000_000, attempt=number, reason="disk full: 99 GiB") for server in servers]
        scenes.add_game(cast.moonbase.partner_id, f"Sea {number}", f"sea-{number}", [Sent(on=theirs)])
    fleet_scenes.last_hour(cast.moonbase.partner_id)
    assert read() == before


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (":", "Failed: build"),
        (": no route", "Failed: build 4 of The Garden of Forking Paths no route."),
        (" \n", "Failed"),
    ],
)
def test_words_of_an_agent_that_begin_with_nothing_break_no_page(
    owner: Visitor, cast: Cast, signed_in: Callable[[str], Visitor], garden: str, reason: str, said: str
) -> None:
    scenes.change(garden, 4, "srv-04", reason=reason)
    fleet_scenes.noticed(cast.starlight.partner_id)
    operator = signed_in(cast.operator)
    pages = (owner.get(PAGE), operator.get("/operator/servers"), operator.get("/operator/servers/srv-04"))
    for page in pages:
        assert said in plain(page.text)


def test_without_builds_it_says_what_will_come(stranger: Visitor, garden: str) -> None:
    text = plain(stranger.get(PAGE).text)
    assert "No live build yet" in text
    assert "None of your builds yet. This server fetches every live build, but you have none yet." in text
    assert "Your live builds cached —" in text


def test_a_paused_and_a_new_server_say_what_their_builds_wait_for(owner: Visitor, garden: str) -> None:
    pause_server("srv-03", True, CAST)
    add_server("srv-07", "fra", CAST)
    text = plain(owner.get("/servers/srv-03").text)
    assert "Downloads are paused since" in text
    assert "Cached builds stay playable. 1 live build is queued." in text
    assert "Behind" not in text
    assert "It has never reported. When its agent starts, it fetches all live builds." in plain(
        owner.get("/servers/srv-07").text
    )


def test_it_is_read_only_and_the_same_for_all_members(owner: Visitor, viewer: Visitor, garden: str) -> None:
    mine, theirs = (visitor.get(f"{PAGE}/parts").text for visitor in (owner, viewer))
    assert mine == theirs
    assert not re.search(r"<button|<form|<input", mine)


def test_who_gets_in(owner: Visitor, visitor: Visitor, cast: Cast, signed_in: Callable[[str], Visitor]) -> None:
    retire_server("srv-02", CAST)
    add_server("live", "", CAST)
    add_server("parts", "", CAST)
    for path in ("", "/parts", "/live"):
        for server in ("srv-02", "srv-99"):
            assert owner.get(f"/servers/{server}{path}").status_code == 404
        answer = visitor.get(f"/servers/srv-01{path}")
        assert (answer.status_code, answer.location) == (302, f"/sign-in?next=/servers/srv-01{path}")
    assert "There is no server" in plain(owner.get("/servers/srv-99").text)
    assert signed_in(cast.operator).get("/servers/srv-01").location == "/operator/servers/srv-01"
    for server in ("live", "parts"):
        assert f"<h1>{server}</h1>" in owner.get(f"/servers/{server}").text


def test_its_parts_are_live(owner: Visitor, cast: Cast, garden: str) -> None:
    page, first = owner.get(PAGE).text, owner.get(f"{PAGE}/parts", headers=HTMX)
    assert f'sse-connect="{PAGE}/live?as_role=owner"' in page
    assert re.findall(r'hx-swap-oob="morph" id="([^"]+)"', first.text) == [
        "server-state",
        "server-builds",
        "server-facts",
    ]
    known = HTMX | {"If-None-Match": first.headers["ETag"]}
    assert owner.get(f"{PAGE}/parts", headers=known).status_code == 304
    scenes.change(garden, 4, "srv-04", phase="cached")
    fleet_scenes.noticed(cast.starlight.partner_id)
    assert "Your live builds cached 1 of 1" in plain(owner.get(f"{PAGE}/parts", headers=known).text)
    fleet_scenes.columns("srv-04", last_report_at=now() - timedelta(minutes=2))
    fleet_scenes.noticed(cast.starlight.partner_id)
    stream = owner.get(f"{PAGE}/live", buffered=False)
    events = iter(stream.iter_encoded())
    next(events)
    assert "No contact since" in plain(next(events).decode())
    stream.close()


def test_it_takes_the_same_queries_for_many_games_as_for_one(owner: Visitor, cast: Cast, garden: str) -> None:
    def queries() -> int:
        fleet_scenes.noticed(cast.starlight.partner_id)
        with statements() as sent:
            assert owner.get(PAGE).status_code == 200
        return sent.queries

    few = queries()
    for number in range(12):
        there = [On("srv-04", "failed", attempt=3)]
        scenes.add_game(cast.starlight.partner_id, f"Game {number}", f"game-{number}", [Sent(on=there)])
    assert queries() == few <= 17
