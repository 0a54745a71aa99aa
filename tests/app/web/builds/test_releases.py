"""Releasing and rolling back from pages: what is asked first, what is done, and by whom."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Build, Game
from app.data.models.server import Server
from app.topics.names import game_topic
from tests.app.web import scenes
from tests.app.web.conftest import BOOSTED, HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import afresh, errors, plain, rows
from tests.conftest import Cast

pytestmark = ONE_DATABASE

PAGE = "/games/garden-of-forking-paths"


@pytest.fixture
def garden(cast: Cast, six_servers: list[str]) -> str:
    """The game of the reference picture: build 4 is live, 5 is ready, 3 was live before; its id."""
    game_id = scenes.forking_paths(cast.starlight.partner_id)
    scenes.servers_report(silent=["srv-06"])
    return game_id


def live(game_id: str) -> int | None:
    afresh()
    game = db.session.get_one(Game, game_id)
    db.session.refresh(game, ["released_build"])
    return game.released_build.number if game.released_build else None


def test_the_page_offers_what_is_ready_and_the_way_back(owner: Visitor, garden: str) -> None:
    page = owner.get(PAGE).text
    assert f'<a class="button primary page-action" href="{PAGE}/builds/5/release"' in page
    assert 'aria-label="Release build 5"' in page
    assert 'aria-label="Roll back to build 3"' in page
    assert f"{PAGE}/builds/4/release" not in page, "it is live already"
    assert rows(page)[0].startswith("Build 5 Ready 6.7 GiB 6.7 GiB — CI"), "it has no pack"
    assert rows(page)[1].startswith("Build 4 Live since")
    assert "6.7 GiB — Cached on 1 of 6 Mira Okafor" in rows(page)[1], "nothing to fetch for the live build"
    assert rows(page)[2].startswith("Build 3 Ready, was live 6.6 GiB 0 B on 5 of 6 Cached on 5 of 6")


def head_actions(page: str) -> list[tuple[str, str]]:
    """(class, label) of the buttons in the head of a game's page."""
    head = page[page.index('id="game-action"') : page.index('<nav class="tabs"')]
    return [
        (look, plain(label).strip()) for look, label in re.findall(r'<a class="([^"]+)"[^>]*>(.*?)</a>', head, re.S)
    ]


def send_unreleased(game_id: str) -> None:
    """The next build arrives, and waits to be released."""
    afresh()
    live_id = db.session.get_one(Game, game_id).released_build_id
    scenes.send(game_id, scenes.Sent(released=None))
    with writing() as session:
        session.get_one(Game, game_id).released_build_id = live_id
        announce(game_topic(game_id))


def test_the_head_of_a_game_offers_the_newest_build_and_the_way_back(owner: Visitor, garden: str) -> None:
    secondary, primary = "button page-action", "button primary page-action"
    way_back, newest = (secondary, "Roll back to build 3"), (primary, "Release build 5")
    for path in ("", "/builds"):
        assert head_actions(owner.get(f"{PAGE}{path}").text) == [way_back, newest], path
    owner.post(f"{PAGE}/builds/5/release", {"live": "4"})
    assert head_actions(owner.get(PAGE).text) == [(secondary, "Roll back to build 4")]


def test_a_build_that_was_rolled_back_is_not_suggested_again(owner: Visitor, garden: str) -> None:
    owner.post(f"{PAGE}/builds/5/release", {"live": "4"})
    owner.post(f"{PAGE}/builds/4/release", {"live": "5"})
    page = owner.get(PAGE).text
    assert head_actions(page) == [("button page-action", "Release build 5 again")]
    assert 'class="button primary' not in page
    assert 'aria-label="Release build 5"' in page, "the table still offers it"
    send_unreleased(garden)
    assert head_actions(owner.get(PAGE).text) == [("button primary page-action", "Release build 6")]


def test_viewers_see_everything_and_are_offered_nothing(viewer: Visitor, garden: str) -> None:
    page = viewer.get(PAGE).text
    assert "Update from live" in plain(page)
    assert "/release" not in page
    assert re.search(rf'class="row-link" href="{PAGE}/builds/5"', page)
    assert head_actions(page) == []
    for answer in (viewer.get(f"{PAGE}/builds/5/release"), viewer.post(f"{PAGE}/builds/5/release", {"live": "4"})):
        assert answer.status_code == 403
        assert "your role is viewer" in answer.text
    assert live(garden) == 4


def test_the_question_says_what_each_server_will_do(owner: Visitor, garden: str) -> None:
    with_space = db.session.scalars(select(Server)).all()
    assert with_space
    page = owner.get(f"{PAGE}/builds/5/release").text
    text = plain(page)
    assert "Release build 5" in text
    assert "Live now Build 4" in text
    assert "Live next Build 5" in text
    assert "All servers fetch 40.2 GiB" in text
    lines = rows(page)
    assert lines[0] == "srv-01 fra Build 4 6.7 GiB 6.7 GiB Fetches it now"
    assert lines[1] == "srv-02 fra Build 3, 62 % of 4 6.7 GiB 6.7 GiB Replaces the download of build 4"
    assert "Replaces the retry of build 4" in lines[4]
    assert "No contact since" in lines[5]
    assert lines[5].endswith(": fetches later")
    assert "17 sessions stay on the build they started with until they end." in text
    again = "You can roll back to build 4 later: servers that still have it download nothing."
    assert f"Servers keep running build 4 until build 5 is downloaded. {again}" in text
    assert "Release build 5 to 6 servers" in text


def test_version_labels_and_the_note_are_beside_the_numbers(owner: Visitor, garden: str) -> None:
    with writing() as session:
        for build in session.scalars(select(Build).where(Build.game_id == garden, Build.number.in_([4, 5]))):
            build.version_label, build.note = f"1.{build.number} <rc>", "Fixes the harbour <scene>"
    text = plain(owner.get(f"{PAGE}/builds/5/release").text)
    assert "Live now Build 4 · 1.4 <rc>" in text
    assert "Live next Build 5 · 1.5 <rc>" in text
    assert "Note of build 5 Fixes the harbour <scene>" in text
    assert "Build 4 Live 1.4 <rc> · cached on 1 of 6" in plain(owner.get(PAGE).text)


def test_rolling_back_costs_nothing_where_the_build_still_is(owner: Visitor, garden: str) -> None:
    page = owner.get(f"{PAGE}/builds/3/release").text
    assert "All servers fetch 0 B instead of 39.7 GiB" in plain(page)
    assert rows(page)[0] == "srv-01 fra Build 4 0 B 6.6 GiB Ready at once"
    assert rows(page)[5].endswith(": changes later"), "it has the build, but does not report"
    assert "Roll back to build 3 on 6 servers" in plain(page)
    again = "You can release build 4 again later: servers that still have it download nothing."
    assert f"Servers that have build 3 change to it at once. {again}" in plain(page)


def test_a_full_disk_is_said_before_it_is_met(owner: Visitor, garden: str) -> None:
    afresh()
    db.session.get_one(Server, "srv-01").disk_free_bytes = 1_100_000_000
    db.session.commit()
    assert "Disk full: needs 20.1 GiB, 1.0 GiB free" in rows(owner.get(f"{PAGE}/builds/5/release").text)[0]


def test_the_question_comes_as_a_page_or_as_the_inside_of_a_dialog(owner: Visitor, garden: str) -> None:
    url = f"{PAGE}/builds/5/release"
    whole, inside = owner.get(url).text, owner.get(url, headers=HTMX).text
    assert "<h1>The Garden of Forking Paths</h1>" in whole
    assert "<title>Release build 5 · The Garden of Forking Paths · Slipway</title>" in whole
    assert "<html" not in inside
    assert re.search(r'id="dialog-title" tabindex="-1" autofocus>\s*Release build 5\s*</h2>', inside)
    assert "<html" in owner.get(url, headers=BOOSTED).text


def test_released_it_is_live_and_the_way_back_is_offered(owner: Visitor, garden: str) -> None:
    answer = owner.post(f"{PAGE}/builds/5/release", {"live": "4"})
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert live(garden) == 5
    page = owner.get(PAGE).text
    assert "Build 5 went live" in page
    assert f'<a class="button small" href="{PAGE}/builds/4/release"' in page
    assert "Roll back to build 4</a>" in page
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.released")).one()
    assert (entry.actor, entry.subject) == ("Owner", "The Garden of Forking Paths, build 5")
    assert "Released The Garden of Forking Paths, build 5" in plain(owner.get(f"{PAGE}/activity").text)


def test_what_is_live_already_is_not_released_again(owner: Visitor, garden: str) -> None:
    assert "Build 4 is live already" in plain(owner.get(f"{PAGE}/builds/4/release").text)
    assert owner.post(f"{PAGE}/builds/4/release", {"live": "4"}).status_code == 303
    assert "Build 4 is live already" in owner.get(PAGE).text
    assert db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.released")).all() == []


def test_a_release_in_between_is_said_instead_of_overruled(owner: Visitor, garden: str) -> None:
    owner.post(f"{PAGE}/builds/5/release", {"live": "4"})
    answer = owner.post(f"{PAGE}/builds/3/release", {"live": "4"})
    assert errors(answer)[0] == "Nothing was released yet: 1 thing to change"
    assert "Build 5 went live since you opened this question." in errors(answer)[1]
    assert 'name="live" type="hidden" value="5"' in answer.text
    assert live(garden) == 5


def test_strangers_the_signed_out_and_unknown_builds(
    owner: Visitor, stranger: Visitor, visitor: Visitor, garden: str
) -> None:
    url = f"{PAGE}/builds/5/release"
    assert (stranger.get(url).status_code, stranger.post(url, {"live": "4"}).status_code) == (404, 404)
    assert visitor.get(url).location.startswith("/sign-in")
    assert visitor.get(url, headers=HTMX).status_code == 401
    assert visitor.post(url, {"live": "4"}).status_code == 401
    assert owner.post(url, {"live": "4"}, token=False).status_code == 400
    assert owner.get(f"{PAGE}/builds/9/release").status_code == 404
    assert owner.post(f"{PAGE}/builds/9/release", {"live": "4"}).status_code == 404
    assert live(garden) == 4


def test_a_first_release_has_no_way_back(owner: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Moth Season", "moth-season", [scenes.Sent(released=None)])
    text = plain(owner.get("/games/moth-season/builds/1/release").text)
    assert "Live now None" in text
    assert "You can" not in text
    owner.post("/games/moth-season/builds/1/release", {"live": ""})
    page = owner.get("/games/moth-season").text
    assert "Build 1 went live" in page
    assert "Roll back to" not in plain(page)
