"""Registering a game, and its details."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.catalog.games_by_id import create_named_game
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.partner import Partner
from tests.app.web import scenes
from tests.app.web.conftest import BOOSTED, HTMX, ONE_DATABASE, Visitor
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE

LANTERNS = {
    "title": "Paper Lanterns",
    "slug": "paper-lanterns",
    "developer": "Kite Works",
    "renpy_dir": "PaperLanterns-1698234567",
    "launcher": "paper-lanterns.sh",
    "tags": "Visual Novel, Mystery",
    "description": "A quiet story about a festival.",
    "auto_release": "y",
}
DETAILS = "/games/paper-lanterns/details"
PAGES = [DETAILS, "/games/paper-lanterns/activity", "/games/paper-lanterns/builds"]


@pytest.fixture
def game(owner: Visitor) -> Game:
    assert owner.post("/games/new", LANTERNS).status_code == 303
    return stored()


def stored() -> Game:
    db.session.rollback()
    return db.session.scalars(select(Game)).one()


def errors(page: str) -> list[str]:
    """What the summary says, line by line."""
    summary = page.split('id="summary"')[1].split("</ul>")[0]
    return [re.search(r"<h2>(.*?)</h2>", summary)[1], *re.findall(r'<a href="#\w+">(.*?)</a>', summary)]  # type: ignore[index]  # a miss fails the test


def test_a_game_is_registered_and_its_page_is_next(owner: Visitor) -> None:
    answer = owner.post("/games/new", LANTERNS | {"languages": "English, 日本語", "screenshots": "/a.png\r\n/b.png"})
    assert (answer.status_code, answer.location) == (303, "/games/paper-lanterns")
    game = stored()
    assert (game.title, game.tags, game.auto_release) == ("Paper Lanterns", ["Visual Novel", "Mystery"], True)
    assert (game.languages, game.screenshots, game.thumbnail) == (["English", "日本語"], ["/a.png", "/b.png"], None)
    assert "Paper Lanterns is registered" in owner.get("/games/paper-lanterns").text


def test_without_a_slug_it_takes_a_free_one_from_the_title(owner: Visitor, game: Game) -> None:
    answer = owner.post("/games/new", LANTERNS | {"slug": ""})
    assert answer.location == "/games/paper-lanterns-2"


@pytest.mark.parametrize("headers", [{}, BOOSTED, HTMX])
def test_what_is_to_change_comes_first_and_the_input_is_kept(
    owner: Visitor, game: Game, headers: dict[str, str]
) -> None:
    changed = {"title": "Paper Lanterns: After the Rain", "launcher": "bin/start", "tags": " , "}
    answer = owner.post("/games/new", LANTERNS | changed, headers=headers)
    assert answer.status_code == 422
    assert errors(answer.text) == [
        "The game is not registered yet: 3 things to change",
        "Slug “paper-lanterns” is taken by another of your games",
        "Launcher must be a file name that ends in .sh. You entered bin/start",
        "Add at least 1 tag",
    ]
    assert 'value="bin/start"' in answer.text
    assert "A quiet story about a festival." in answer.text
    assert "Use paper-lanterns-after-the-rain, which is available" in answer.text
    assert re.search(r'<input[^>]+aria-describedby="launcher-hint launcher-error"[^>]+name="launcher"', answer.text)
    assert 'aria-invalid="true"' in answer.text


def test_rules_are_those_of_the_api(owner: Visitor) -> None:
    wrong = {
        "title": "x" * 201,
        "slug": "new",
        "renpy_dir": "a/b",
        "release_date": "2026-02-30",
        "thumbnail": "javascript:alert(1)",
        "tags": ",".join(["a"] * 11),
        "description": "",
    }
    page = owner.post("/games/new", LANTERNS | wrong).text
    assert errors(page)[0] == "The game is not registered yet: 7 things to change"
    for message in (
        "Title must have at most 200 characters",
        "Slug must not be &#39;new&#39;",
        "Save directory must be a plain file name",
        "Tags must have at most 10 entries, it has 11",
        "Description is required",
        "Release date must be a date written YYYY-MM-DD",
        "Cover must be an address",
    ):
        assert message in page


def test_viewers_and_operators_register_nothing(owner: Visitor, viewer: Visitor) -> None:
    assert 'href="/games/new"' in owner.get("/games").text
    assert 'href="/games/new"' not in viewer.get("/games").text
    assert viewer.get("/games/new").status_code == 403
    assert viewer.post("/games/new", LANTERNS).status_code == 403
    assert db.session.scalars(select(Game)).all() == []


def test_details_change_what_was_changed(owner: Visitor, game: Game) -> None:
    kept = {name: value for name, value in LANTERNS.items() if name not in {"slug", "auto_release"}}
    answer = owner.post(DETAILS, kept | {"title": "Paper Lanterns II"})
    assert (answer.status_code, answer.location) == (303, DETAILS)
    assert (stored().title, stored().auto_release, stored().slug) == ("Paper Lanterns II", False, "paper-lanterns")
    assert "The details are saved" in owner.get(DETAILS).text


def test_details_that_break_a_rule_are_kept_in_the_form(owner: Visitor, game: Game) -> None:
    answer = owner.post(DETAILS, LANTERNS | {"launcher": "", "title": "Other"})
    assert answer.status_code == 422
    assert errors(answer.text) == ["The details are not saved yet: 1 thing to change", "Launcher is required"]
    assert 'value="Other"' in answer.text
    assert stored().title == "Paper Lanterns"


def test_a_game_made_by_name_says_what_it_misses_and_takes_it_step_by_step(owner: Visitor, cast: Cast) -> None:
    create_named_game(db.session.get_one(Partner, cast.starlight.partner_id), "Moth Season", CAST)
    assert "still needs its description, tags, launcher and save directory" in owner.get("/games/moth-season").text
    form = {"title": "Moth Season", "developer": "Starlight Studio", "launcher": "moth.sh", "auto_release": "y"}
    assert owner.post("/games/moth-season/details", form).status_code == 303
    assert stored().launcher == "moth.sh"
    assert "still needs its description, tags and save directory" in owner.get("/games/moth-season").text


def test_a_game_is_deleted_only_by_its_slug(owner: Visitor, game: Game) -> None:
    refused = owner.post("/games/paper-lanterns/deletion", {"typed": "Paper Lanterns"})
    assert refused.status_code == 422
    assert "Type paper-lanterns to delete it. You entered Paper Lanterns" in refused.text
    assert stored().deleted_at is None
    answer = owner.post("/games/paper-lanterns/deletion", {"typed": " paper-lanterns "})
    assert (answer.status_code, answer.location) == (303, "/games")
    assert stored().deleted_at is not None
    assert "Paper Lanterns is deleted" in owner.get("/games").text


def test_the_danger_zone_says_what_happens_to_sessions_and_caches(owner: Visitor, cast: Cast) -> None:
    sent = scenes.Sent(on=[scenes.On("srv-01", sessions=2)])
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns", [sent])
    page = owner.get(DETAILS).text
    assert "2 sessions are running and can be played to the end." in page
    assert "every server removes the game from its cache" in page


def test_viewers_read_the_details(viewer: Visitor, game: Game) -> None:
    page = viewer.get(DETAILS).text
    assert "PaperLanterns-1698234567" in page
    assert "Save the details" not in page
    assert "Delete" not in page
    assert viewer.post(DETAILS, LANTERNS).status_code == 403
    assert viewer.post("/games/paper-lanterns/deletion", {"typed": "paper-lanterns"}).status_code == 403


def test_activity_is_that_of_the_game(owner: Visitor, game: Game) -> None:
    page = owner.get("/games/paper-lanterns/activity").text
    assert "Registered" in page
    assert "Created a key" not in page


def test_all_builds_are_shown_in_pages(owner: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns", [scenes.Sent()] * 12)
    overview = owner.get("/games/paper-lanterns").text
    assert "10 of 12, newest first" in overview
    assert 'href="/games/paper-lanterns/builds">Show all builds' in overview
    assert len(re.findall(r'<tr role="row" id="b\d+"', owner.get("/games/paper-lanterns/builds").text)) == 12
    assert len(re.findall(r'id="b\d+"', owner.get("/games/paper-lanterns/builds?after=4").text)) == 3


@pytest.mark.parametrize("path", PAGES)
def test_strangers_find_nothing_and_the_signed_out_are_asked(
    stranger: Visitor, visitor: Visitor, game: Game, path: str
) -> None:
    assert stranger.get(path).status_code == 404
    assert visitor.get(path).status_code == 302
    assert stranger.post("/games/paper-lanterns/deletion", {"typed": "paper-lanterns"}).status_code == 404
    assert stored().deleted_at is None


def test_the_form_shows_what_was_read_from_the_archive_and_remembers_the_file(owner: Visitor) -> None:
    page = owner.get("/games/new?file=lanterns.tar.gz&title=Paper+Lanterns&launcher=paper-lanterns.sh&renpy_dir=").text
    assert page.count("From the archive. Correct it if it is wrong.") == 2
    assert page.count('data-file="lanterns.tar.gz"') == 2
    assert 'value="paper-lanterns"' in page
    assert "From the archive" not in owner.get("/games/new").text
    assert 'id="uploads-here"' not in owner.get("/games/new").text

    refused = owner.post("/games/new", LANTERNS | {"tags": "", "file": "lanterns.tar.gz"})
    assert refused.status_code == 422
    assert refused.text.count('data-file="lanterns.tar.gz"') == 2
    assert owner.post("/games/new", LANTERNS | {"file": "lanterns.tar.gz"}).status_code == 303
    assert "Paper Lanterns is registered" in owner.get("/games/paper-lanterns").text
