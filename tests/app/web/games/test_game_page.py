"""A game's page and its live parts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import event

from app.data.extensions import db
from app.limits import thread_budgets
from tests.app.web import scenes
from tests.app.web.conftest import BOOSTED, HTMX, Visitor
from tests.app.web.reading import chips
from tests.app.web.scenes import On, Sent
from tests.conftest import Cast

PAGE = "/games/garden-of-forking-paths"
RETRY = f"{PAGE}/builds/4/servers/srv-04/retries"
ROUTES = [PAGE, f"{PAGE}/matrix", f"{PAGE}/live", f"{PAGE}/builds/4/servers/srv-04"]


@pytest.fixture
def garden(cast: Cast, six_servers: list[str]) -> str:
    """The game of the reference picture; its id."""
    game_id = scenes.forking_paths(cast.starlight.partner_id)
    scenes.servers_report(silent=["srv-06"])
    return game_id


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.replace("\u00a0", " ")))


def test_the_page_says_what_is_live_and_what_is_worst(owner: Visitor, garden: str) -> None:
    page = owner.get(PAGE).text
    assert "<title>(1 failed) The Garden of Forking Paths · Slipway</title>" in page
    assert "Live: build 4" in page
    assert "Failed on 1 of 6: srv-04, disk full" in page
    assert re.search(r"Released <time [^>]+>[^<]+</time> by Mira Okafor", page)


def test_the_page_holds_the_exact_command(owner: Visitor, garden: str) -> None:
    page = owner.get(PAGE).text
    assert "curl -T garden-of-forking-paths.tar.gz \\" in page
    assert "http://localhost/api/partners/games/garden-of-forking-paths/upload" in page


def test_members_that_send_builds_can_give_a_version(owner: Visitor, viewer: Visitor, garden: str) -> None:
    field = re.compile(r'<label for="drop-version">Version \(optional\)</label>\s*<input[^>]*maxlength="100"')
    assert field.search(owner.get(PAGE).text)
    assert "drop-version" not in viewer.get(PAGE).text


def test_builds_are_newest_first_and_say_their_state(owner: Visitor, garden: str) -> None:
    page = owner.get(PAGE).text
    assert re.findall(r'<tr role="row" id="b(\d)"', page) == ["5", "4", "3", "2", "1"]
    rows = plain(page)
    assert "5, newest first" in rows
    assert "Ready, was live" in rows
    assert "Live since" in rows


def test_the_matrix_names_every_state(owner: Visitor, garden: str) -> None:
    text = plain(owner.get(PAGE).text)
    for words in (
        "srv-02, build 4: srv-02 fra 62 % 17.5 MiB/s · 2 min",
        "srv-04, build 4: srv-04 sin Failed: disk full",
        "srv-05, build 4: srv-05 sin Retrying 2 of 5",
        "Queued",
        "No contact",
        "Verifying 88 % 393 MiB/s",
        "Removing 6.6 GiB",
        "Not sent 6.7 GiB to fetch",
        "17 sessions",
        "1 failed 1 no contact 1 retrying 1 downloading 1 queued 1 cached",
    ):
        assert words in text


def test_what_is_queued_waits_for_what_its_server_fetches(owner: Visitor, cast: Cast, garden: str) -> None:
    assert "Queued next after build 1" in plain(owner.get(PAGE).text)
    waiting = [Sent(on=[On("srv-01", "pending", 0), On("srv-02", "pending", 0), On("srv-03", "pending", 0)])]
    scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", waiting)
    scenes.add_game(cast.moonbase.partner_id, "Sea of Rain", "rain", [Sent(on=[On("srv-01", "downloading", 10)])])
    text = plain(owner.get("/games/low-tide").text)
    assert "Queued next after another game" in text
    assert "Sea of Rain" not in text
    assert "Queued next after The Garden of Forking Paths 4" in text
    assert "Queued one of 2 after The Garden of Forking Paths 1" in text
    page = plain(owner.get("/games/low-tide/builds/1/servers/srv-03").text)
    assert "Waiting One of 2 after The Garden of Forking Paths 1" in page


def test_the_chips_name_each_trouble_and_lead_to_the_live_build_and_to_the_servers(owner: Visitor, garden: str) -> None:
    page = owner.get(f"{PAGE}/activity").text
    troubles = ["Failed on 1 of 6: srv-04, disk full", "No contact with 1 of 6", "Retrying on 1 of 6"]
    assert chips(page) == ["Live: build 4", *troubles]
    links = re.findall(r'<a class="chip [^"]*" href="([^"]+)"', page)
    assert links == [f"{PAGE}/builds/4", *[f"{PAGE}#fleet"] * 3]
    assert 'id="fleet"' in owner.get(PAGE).text


def test_how_many_builds_of_other_partners_wait_is_not_shown(owner: Visitor, cast: Cast, garden: str) -> None:
    scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(on=[On("srv-01", "pending", 0)])])
    scenes.add_game(cast.moonbase.partner_id, "Sea of Rain", "rain", [Sent(on=[On("srv-01", "downloading", 10)])])
    for number in range(3):
        waits = [Sent(on=[On("srv-01", "pending", 0)])]
        scenes.add_game(cast.moonbase.partner_id, f"Sea {number}", f"sea-{number}", waits)
    assert "Queued next after another game" in plain(owner.get("/games/low-tide").text)


def test_rows_are_the_live_build_then_newer_then_older(owner: Visitor, garden: str) -> None:
    assert re.findall(r'<tbody role="rowgroup" id="build-(\d)"', owner.get(PAGE).text) == ["4", "5", "3", "1"]


def test_a_game_without_a_build_says_what_comes_first(owner: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Moth Season", "moth-season")
    text = plain(owner.get("/games/moth-season").text)
    assert "Waiting for a build" in text
    assert '<a class="chip' not in owner.get("/games/moth-season").text, "there is nothing to open yet"
    assert "No build yet. Drop one on this page, or send it with the command" in text
    assert "3 servers wait for the first build: srv-01, srv-02, srv-03." in text
    assert "Those in contact fetch it as soon as it is live, the others when they report again." in text


def test_the_page_and_the_fragment_show_the_same_parts(owner: Visitor, garden: str) -> None:
    page, fragment = owner.get(PAGE).text, owner.get(f"{PAGE}/matrix", headers=HTMX).text
    swapped = fragment.replace(' hx-swap-oob="morph"', "")
    for part in ("game-state", "builds", "fleet"):
        start = page.index(re.search(rf'<\w+[^>]* id="{part}"', page)[0])  # type: ignore[index]  # a miss fails the test
        assert page[start : start + 400] in swapped


def test_every_part_of_the_fragment_has_its_place_in_the_page(owner: Visitor, garden: str) -> None:
    page, fragment = owner.get(PAGE).text, owner.get(f"{PAGE}/matrix").text
    parts = re.findall(r'hx-swap-oob="morph" id="([^"]+)"', fragment)
    assert parts == ["game-state", "game-action", "other-uploads", "builds", "fleet"]
    for part in parts:
        assert f'id="{part}"' in page


def test_an_unchanged_fragment_is_304(owner: Visitor, garden: str) -> None:
    first = owner.get(f"{PAGE}/matrix", headers=HTMX)
    again = owner.get(f"{PAGE}/matrix", headers=HTMX | {"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    scenes.change(garden, 4, "srv-02", bytes_done=7_000_000_000)
    changed = owner.get(f"{PAGE}/matrix", headers=HTMX | {"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert "97" in changed.text


def test_one_rendering_serves_all_readers_of_a_role(
    app: Flask, garden: str, cast: Cast, signed_in: Callable[[str], Visitor]
) -> None:
    owner, developer, viewer = (
        signed_in(email) for email in (cast.starlight.owner, cast.starlight.developer, cast.starlight.viewer)
    )
    live = app.extensions["slipway_live"]
    for visitor in (owner, developer, owner, developer):
        visitor.get(f"{PAGE}/matrix")
    assert live.renderings == 1
    viewer.get(f"{PAGE}/matrix")
    assert live.renderings == 2


def test_a_cached_page_asks_little_of_the_database(app: Flask, owner: Visitor, garden: str) -> None:
    owner.get(PAGE)
    statements: list[str] = []
    heard = lambda c, cursor, statement, *_: statements.append(statement)  # noqa: E731 (SQLAlchemy wants one object to remove)
    event.listen(db.engine, "before_cursor_execute", heard)
    owner.get(f"{PAGE}/matrix")
    event.remove(db.engine, "before_cursor_execute", heard)
    selects = [statement for statement in statements if statement.startswith("SELECT")]
    assert len(selects) <= 3, selects  # who, which game, which version


@pytest.mark.parametrize("path", ROUTES)
def test_another_partner_finds_nothing(stranger: Visitor, garden: str, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 404
    assert "Forking Paths" not in answer.text


@pytest.mark.parametrize("path", ROUTES)
def test_nobody_gets_in_without_signing_in(visitor: Visitor, garden: str, path: str) -> None:
    assert visitor.get(path).status_code == 302
    assert visitor.get(path, headers=HTMX).status_code == 401


def test_another_partner_cannot_retry(app: Flask, stranger: Visitor, garden: str) -> None:
    assert stranger.post(RETRY).status_code == 404
    assert scenes.retries_asked(garden) == 0


def test_a_viewer_sees_no_buttons_and_cannot_press_them(viewer: Visitor, garden: str) -> None:
    page = viewer.get(PAGE).text
    assert "Failed: disk full" in page
    assert "/retries" not in page
    answer = viewer.post(RETRY)
    assert answer.status_code == 403
    assert "your role is viewer" in answer.text
    assert scenes.retries_asked(garden) == 0


def test_retry_without_a_script_comes_back_to_the_servers(owner: Visitor, garden: str) -> None:
    assert f'formaction="{RETRY}"' in owner.get(PAGE).text
    answer = owner.post(RETRY)
    assert (answer.status_code, answer.location) == (303, f"{PAGE}#fleet")
    assert scenes.retries_asked(garden) == 1


def test_retry_with_a_script_brings_the_parts(owner: Visitor, garden: str) -> None:
    answer = owner.post(RETRY, headers=HTMX)
    assert answer.status_code == 200
    assert 'hx-swap-oob="morph" id="fleet"' in answer.text


def test_retry_without_a_token_does_nothing(owner: Visitor, garden: str) -> None:
    assert owner.post(RETRY, token=False).status_code == 400
    assert scenes.retries_asked(garden) == 0


def test_retry_of_what_is_not_sent_says_so(owner: Visitor, garden: str) -> None:
    answer = owner.post(f"{PAGE}/builds/5/servers/srv-01/retries")
    assert answer.status_code == 404
    assert "nothing to retry" in answer.text


def test_a_cell_leads_to_the_whole_story(owner: Visitor, garden: str) -> None:
    text = plain(owner.get(f"{PAGE}/builds/4/servers/srv-04").text)
    assert "Build 4 on srv-04" in text
    assert "Disk full: 7.4 GiB needed, 1.0 GiB free" in text
    assert "Attempt 8" in text
    assert "Retry now" in text
    assert owner.get(f"{PAGE}/builds/4/servers/srv-99").status_code == 404


def test_a_removed_copy_says_who_removed_it_and_why(owner: Visitor, garden: str) -> None:
    assert "srv-02, build 1: srv-02 fra Copy removed not kept since" in plain(owner.get(PAGE).text)
    text = plain(owner.get(f"{PAGE}/builds/1/servers/srv-02").text)
    assert "Removed by srv-02, which keeps the live build and 1 build to roll back to, while it has room" in text
    assert re.search(r"Live instead Build 4\. Released .* by Mira Okafor", text)
    assert "Removed by" not in plain(owner.get(f"{PAGE}/builds/1/servers/srv-04").text)


def test_an_unknown_slug_names_the_nearest_own_game(owner: Visitor, stranger: Visitor, garden: str) -> None:
    answer = owner.get("/games/garden-of-forking-path")
    assert answer.status_code == 404
    assert "No game at this address" in answer.text
    assert 'The nearest is <a href="/games/garden-of-forking-paths">' in answer.text
    assert "The nearest is" not in stranger.get("/games/garden-of-forking-path").text


def test_a_boosted_link_to_nowhere_shows_the_whole_page(owner: Visitor, garden: str) -> None:
    assert "<h1>No game at this address</h1>" in owner.get("/games/nowhere", headers=BOOSTED).text


def test_the_stream_begins_with_a_beat_and_then_the_parts(owner: Visitor, garden: str) -> None:
    answer = owner.get(f"{PAGE}/live", headers={"Accept": "text/event-stream"}, buffered=False)
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    events = iter(answer.iter_encoded())
    assert b"event: beat" in next(events)
    parts = next(events).decode()
    assert "event: live" in parts
    assert 'hx-swap-oob="morph" id="fleet"' in parts
    answer.close()


def test_a_stream_gives_its_place_back_even_if_it_was_never_read(owner: Visitor, garden: str) -> None:
    before = thread_budgets.streams.in_use
    answer = owner.get(f"{PAGE}/live", buffered=False)
    assert thread_budgets.streams.in_use == before + 1
    answer.close()
    assert thread_budgets.streams.in_use == before


@pytest.mark.settings(SLIPWAY_STREAMS="0")
def test_without_a_free_place_the_stream_answers_503_and_the_page_polls(owner: Visitor, garden: str) -> None:
    answer = owner.get(f"{PAGE}/live", headers={"Accept": "text/event-stream"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert owner.get(f"{PAGE}/matrix").status_code == 200
