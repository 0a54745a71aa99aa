"""Servers as partners see them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from app.data.models.base import now
from app.fleet.servers import pause_server, retire_server
from app.limits import thread_budgets
from app.web.servers import server_words
from tests.app.fleet.counting import statements
from tests.app.web import fleet_scenes, scenes
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import one_line
from tests.app.web.scenes import On, Sent
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE
PAGE = "/servers"
LIVE = "/fleet"
ROUTES = [PAGE, f"{LIVE}/parts", f"{LIVE}/live"]


@pytest.fixture
def garden(cast: Cast, six_servers: list[str]) -> str:
    """One game of Starlight's with one server in each state; its id."""
    game_id = scenes.forking_paths(cast.starlight.partner_id)
    scenes.servers_report(silent=["srv-06"])
    return game_id


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.replace("\u00a0", " ")))


def row(page: str, server: str) -> str:
    found = re.search(rf'<tbody role="rowgroup" id="server-{server}">.*?</tbody>', page, re.DOTALL)
    assert found, page
    return plain(found[0])


def order(page: str) -> list[str]:
    return re.findall(r'<tbody role="rowgroup" id="server-([^"]+)"', page)


def test_each_server_says_how_far_the_partners_builds_are(owner: Visitor, garden: str) -> None:
    page = owner.get(PAGE).text
    assert order(page) == ["srv-04", "srv-06", "srv-05", "srv-02", "srv-03", "srv-01"]
    for server, words in {
        "srv-01": ("Up to date", "1 of 1", "0 B "),
        "srv-02": ("Downloading 62 %", "0 of 1", "2.5 GiB", "17.5 MiB/s"),
        "srv-03": ("Queued", "6.7 GiB", "0 B/s"),
        "srv-04": ("Failed: disk full", "The Garden of Forking Paths, build 4 "),
        "srv-05": ("Retrying 2 of 5", "The Garden of Forking Paths, build 4 : connection reset"),
        "srv-06": ("No contact since", "— "),
    }.items():
        for word in words:
            assert word in row(page, server)
    assert "build 4" not in row(page, "srv-02"), "only where something failed"
    links = re.findall(r'<a class="row-link" href="([^"]+)"', one_line(page))
    assert links == [f"{PAGE}/{server}" for server in order(page)]
    explained = re.findall(r'class="failing"><a href="([^"]+)"', page)
    assert explained == [f"/games/garden-of-forking-paths/builds/4/servers/srv-0{number}" for number in (4, 5)]
    assert "7.4 GiB needed, 1.0 GiB free" in plain(owner.get(explained[0]).text)


def test_search_state_and_order_are_in_the_address(owner: Visitor, garden: str) -> None:
    page = one_line(owner.get(f"{PAGE}?q=srv-0&sort=-fetch&status=arriving").text)
    assert order(page) == ["srv-03", "srv-02"], "more to fetch comes first"
    assert "6 servers" in page, "the head counts all of them"
    segments = plain(page[page.index('id="servers-segments"') : page.index("</nav>", page.index("servers-segments"))])
    assert "All 6 Failing 2 No contact 1 Arriving 2 Up to date 1" in segments
    assert (
        f'aria-sort="descending"> <a id="sort-fetch" href="{PAGE}?q=srv-0&amp;sort=fetch&amp;status=arriving"' in page
    )
    assert f'<a class="tag active" href="{PAGE}?q=srv-0&amp;sort=-fetch">Arriving' in page
    query = "?q=srv-0&amp;sort=-fetch&amp;status=arriving"
    assert f'sse-connect="/fleet/live{query}&amp;as_role=owner"' in page
    assert f'data-poll="/fleet/parts{query}&amp;as_role=owner"' in page
    assert order(owner.get(f"{PAGE}?sort=-name").text) == [f"srv-0{n}" for n in range(6, 0, -1)]
    nothing = owner.get(f"{PAGE}?q=sorcery&status=failing").text
    assert "No servers match “sorcery” and “Failing”. Clear the filters" in plain(nothing)
    assert "No servers match" not in plain(owner.get(f"{PAGE}?sort=sorcery&status=sorcery").text)


def test_rows_that_stream_in_are_those_of_the_address(owner: Visitor, cast: Cast, garden: str) -> None:
    query = "?sort=-name&status=up-to-date"
    assert order(owner.get(f"{LIVE}/parts{query}").text.replace(' hx-swap-oob="morph"', "")) == ["srv-01"]
    scenes.change(garden, 4, "srv-02", phase="cached")
    scenes.change(garden, 4, "srv-03", phase="cached")
    fleet_scenes.noticed(cast.starlight.partner_id)
    stream = owner.get(f"{LIVE}/live{query}", buffered=False)
    events = iter(stream.iter_encoded())
    next(events)
    streamed = next(events).decode().replace(' hx-swap-oob="morph"', "")
    stream.close()
    assert order(streamed) == ["srv-03", "srv-02", "srv-01"]


def test_the_head_counts_and_the_title_carries_the_worst(owner: Visitor, garden: str) -> None:
    page = owner.get(PAGE).text
    assert "<title>(1 failed) Servers · Slipway</title>" in page
    text = plain(page)
    assert "6 servers 1 failed 1 no contact 1 retrying 3 up to date or arriving" in text


@pytest.mark.parametrize("page", [PAGE, "/games"])
def test_a_lost_server_is_said_first(owner: Visitor, cast: Cast, garden: str, page: str) -> None:
    text = plain(owner.get(page).text)
    assert "No contact with srv-06 since" in text
    assert "Players are sent to the other 5 servers. srv-06 continues automatically when it reports again" in text
    scenes.servers_report(silent=["srv-05", "srv-06"])
    fleet_scenes.noticed(cast.starlight.partner_id)
    again = plain(owner.get(page).text)
    assert "No contact with 2 servers: srv-05, srv-06" in again
    assert "the other 4 servers. The silent servers continue automatically when they report again" in again
    scenes.servers_report(silent=[f"srv-0{n}" for n in range(1, 7)])
    fleet_scenes.noticed(cast.starlight.partner_id)
    assert "Their cached builds stay there. Operators of the platform see this too." in plain(owner.get(page).text)


@pytest.mark.parametrize("page", [PAGE, "/games"])
def test_a_failing_build_is_said_with_its_server_and_reason(
    owner: Visitor, stranger: Visitor, cast: Cast, garden: str, page: str
) -> None:
    def banner(visitor: Visitor) -> str:
        text = visitor.get(page).text
        start = text.index('<div id="servers-banner"')
        return text[start : text.index('id="servers-head"' if page == PAGE else 'id="games-count"', start)]

    scenes.add_game(cast.moonbase.partner_id, "Sea of Rain", "sea-of-rain", [Sent(on=[On("srv-01")])])
    scenes.add_game(cast.starlight.partner_id, "Night Ferry", "ferry", [Sent(on=[On("srv-04", "failed", attempt=6)])])
    found = banner(owner)
    failing = "srv-04 : The Garden of Forking Paths, build 4: disk full; 1 more build failed too"
    assert f"Live builds fail on srv-04 and are retried automatically {failing}" in plain(found)
    assert '<a href="/servers/srv-04">srv-04</a>' in found
    assert "srv-05" not in found, "it retries still"
    assert "fail" not in banner(stranger), "builds of others"

    for number in range(1, 7):
        scenes.change(garden, 4, f"srv-0{number}", phase="failed", attempt=9, reason="disk full: 7.4 GiB needed")
    scenes.servers_report()
    fleet_scenes.noticed(cast.starlight.partner_id)
    found = plain(banner(owner))
    each = "The Garden of Forking Paths, build 4: disk full"
    assert f"Live builds fail on 6 servers and are retried automatically srv-01 : {each} srv-02 : {each}" in found
    assert f"srv-05 : {each} 1 more server " in found


def test_nothing_of_the_machine_or_of_others_is_shown(owner: Visitor, cast: Cast, garden: str) -> None:
    fleet_scenes.machines()
    scenes.add_game(
        cast.moonbase.partner_id, "Sea of Rain", "sea-of-rain", [Sent(on=[On("srv-01", "failed", attempt=9)])]
    )
    page = owner.get(PAGE).text
    for word in ("1.0.3", "Disk", "CPU", "Sessions", "Sea of Rain"):
        assert word not in page
    assert "Up to date" in row(page, "srv-01")


def test_the_last_hour_is_drawn_and_ends_where_contact_was_lost(owner: Visitor, cast: Cast, garden: str) -> None:
    fleet_scenes.last_hour(cast.starlight.partner_id)
    page = owner.get(PAGE).text
    assert page.count('class="sparkline"') == 5
    assert page.count('class="sparkline lost"') == 1
    assert 'aria-hidden="true"' in re.findall(r'<svg class="sparkline[^>]*>', page)[0]


def test_a_paused_server_says_what_its_queue_waits_for(owner: Visitor, garden: str) -> None:
    pause_server("srv-03", True, CAST)
    assert "Queued, downloads paused" in row(owner.get(PAGE).text, "srv-03")
    assert "Queued downloads paused" in plain(owner.get("/games/garden-of-forking-paths").text)


def test_a_new_server_is_not_called_lost(owner: Visitor, cast: Cast) -> None:
    text = plain(owner.get(PAGE).text)
    assert "No contact" not in text
    assert "3 servers 3 not started yet" in text


def test_a_partner_without_a_release_is_told_so(stranger: Visitor, garden: str) -> None:
    page = stranger.get(PAGE).text
    assert "No live build yet" in row(page, "srv-01")
    assert "Garden" not in page


def test_without_servers_the_page_says_who_adds_them(owner: Visitor, cast: Cast) -> None:
    for server in cast.servers:
        retire_server(server, CAST)
    assert "No servers yet. Operators add them" in plain(owner.get(PAGE).text)


def test_the_page_and_the_fragment_show_the_same_parts(owner: Visitor, garden: str) -> None:
    page, fragment = owner.get(PAGE).text, owner.get(f"{LIVE}/parts", headers=HTMX).text
    parts = re.findall(r'hx-swap-oob="morph" id="([^"]+)"', fragment)
    assert parts == ["servers-segments", "servers-banner", "servers-head", "servers-table"]
    lines = (
        fragment.replace(' hx-swap-oob="morph"', "")
        .split("</title>")[1]
        .replace('<div id="servers', '\n<div id="servers')
    )
    for line in lines.replace('<div class="heading"', '\n<div class="heading"').split("\n"):
        assert line in page


def test_an_unchanged_fragment_is_304_until_a_server_reports_something_new(
    owner: Visitor, cast: Cast, garden: str
) -> None:
    first = owner.get(f"{LIVE}/parts", headers=HTMX)
    again = owner.get(f"{LIVE}/parts", headers=HTMX | {"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    scenes.send(garden, Sent(on=[On(f"srv-0{n}") for n in range(1, 7)]))
    fleet_scenes.noticed(cast.starlight.partner_id)
    changed = owner.get(f"{LIVE}/parts", headers=HTMX | {"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert "Up to date" in row(changed.text.replace(' hx-swap-oob="morph"', ""), "srv-04")


def test_the_stream_brings_the_parts_and_gives_its_place_back(owner: Visitor, garden: str) -> None:
    before = thread_budgets.streams.in_use
    answer = owner.get(f"{LIVE}/live", headers={"Accept": "text/event-stream"}, buffered=False)
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("text/event-stream", "no-store")
    events = iter(answer.iter_encoded())
    assert b"event: beat" in next(events)
    assert 'hx-swap-oob="morph" id="servers-table"' in next(events).decode()
    answer.close()
    assert thread_budgets.streams.in_use == before


@pytest.mark.settings(SLIPWAY_STREAMS="0")
def test_without_a_free_place_the_page_polls(owner: Visitor, garden: str) -> None:
    assert owner.get(f"{LIVE}/live", headers={"Accept": "text/event-stream"}).status_code == 503
    assert owner.get(f"{LIVE}/parts").status_code == 200


def test_all_members_of_a_partner_share_one_rendering(
    app: Flask, cast: Cast, garden: str, signed_in: Callable[[str], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_words, "next_change_at", lambda *_: now() + timedelta(hours=1))  # else with every minute
    live = app.extensions["slipway_live"]
    for email in (cast.starlight.owner, cast.starlight.developer, cast.starlight.viewer):
        assert signed_in(email).get(f"{LIVE}/parts").status_code == 200
    assert live.renderings == 1


def test_it_takes_the_same_queries_for_many_games_as_for_one(owner: Visitor, cast: Cast, garden: str) -> None:
    def queries() -> int:
        with statements() as sent:
            assert owner.get(PAGE).status_code == 200
        return sent.queries

    few = queries()
    for number in range(12):
        # Announces the partner's topic, so the page is made anew.
        scenes.add_game(cast.starlight.partner_id, f"Game {number}", f"game-{number}", [Sent(on=[On("srv-01")])])
    assert queries() == few <= 11


def test_lost_contact_shows_without_any_report(app: Flask, owner: Visitor, garden: str) -> None:
    before = now()
    assert "srv-01: No contact" not in plain(owner.get(PAGE).text)
    # As if the 30 seconds had passed: the report is older now, and nothing was announced.
    fleet_scenes.columns("srv-01", last_report_at=now() - timedelta(seconds=31))
    for entry in app.extensions["slipway_live"]._entries.values():
        assert entry.rendered.changes_at > before
        entry.rendered.changes_at = now()
    assert "No contact since" in row(owner.get(PAGE).text, "srv-01")


@pytest.mark.parametrize("path", ROUTES)
def test_nobody_gets_in_without_signing_in(visitor: Visitor, cast: Cast, path: str) -> None:
    answer = visitor.get(path)
    assert (answer.status_code, answer.location) == (302, f"/sign-in?next={path}")
    assert visitor.get(path, headers=HTMX).status_code == 401


def test_a_viewer_sees_all_of_it(viewer: Visitor, garden: str) -> None:
    assert "Failed: disk full" in row(viewer.get(PAGE).text, "srv-04")


def test_the_navigation_leads_here(owner: Visitor, cast: Cast) -> None:
    assert '<a href="/servers">Servers</a>' in owner.get("/games").text
    assert '<a href="/servers" aria-current="page">Servers</a>' in owner.get(PAGE).text
