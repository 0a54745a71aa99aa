"""The list of games."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from flask import Flask
from sqlalchemy import event, select

from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.server import Replica
from app.data.models.upload import Upload
from app.fleet.servers import add_server
from app.topics.names import game_topic, partner_topic
from app.uploads.resumable.current_uploads import current_uploads
from app.uploads.resumable.stopped_uploads import stops_at
from app.web.frame.static_files import bundle
from app.web.games.upload_lines import next_stop, upload_line
from tests.app.web import scenes
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import plain
from tests.app.web.scenes import On, Sent
from tests.conftest import CAST, Cast
from tests.many_rows import Many, add_many


@pytest.fixture
def catalog(cast: Cast, six_servers: list[str]) -> None:
    scenes.catalog(cast.starlight.partner_id)
    scenes.servers_report(silent=["srv-06"])


def titles(page: str) -> list[str]:
    return re.findall(r'class="row-link"[^>]*>([^<]+)<', page)


def test_without_games_the_page_teaches_the_two_commands(owner: Visitor) -> None:
    page = owner.get("/games").text
    assert "Starlight Studio has no games yet." in page
    assert "curl http://localhost/api/partners/games \\" in page
    assert "http://localhost/api/partners/games/paper-lanterns/upload" in page
    assert "at most 20\u00a0GiB packed" in page
    assert "$SLIPWAY_KEY" in page


def test_each_game_says_what_is_live_and_where(owner: Visitor, catalog: None) -> None:
    page = owner.get("/games").text
    assert "Showing 8 games" in page
    assert titles(page)[0] == "The Garden of Forking Paths"
    assert titles(page)[-1] == "Platform Nine"
    for words in ("Failed on 1 of 6", "Arriving on 4 of 6", "Cached on 5 of 6", "No build yet", "Waiting for a build"):
        assert words in page
    assert "One mark per server, srv-01 to srv-06." in page


def test_another_partner_sees_none_of_them(stranger: Visitor, catalog: None) -> None:
    assert "Moonbase has no games yet." in stranger.get("/games").text


def test_the_two_ways_to_add_a_game_are_explained(owner: Visitor, viewer: Visitor, catalog: None) -> None:
    words = "Upload a new game to name it while its build is sent, or register it and send builds later."
    assert words in plain(owner.get("/games").text)
    assert words not in plain(viewer.get("/games").text)


def test_a_viewer_sees_them(viewer: Visitor, catalog: None) -> None:
    assert len(titles(viewer.get("/games").text)) == 8


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=ferry", ["Night Ferry"]),
        ("q=salt-and", ["Salt and Cedar"]),
        ("tag=Horror", ["Night Ferry"]),
        ("status=attention", ["The Garden of Forking Paths"]),
        ("status=waiting", ["Moth Season"]),
        ("tag=Visual+Novel&q=tide", ["Low Tide"]),
    ],
)
def test_filters_are_in_the_address(owner: Visitor, catalog: None, query: str, found: list[str]) -> None:
    assert titles(owner.get(f"/games?{query}").text) == found


def test_segments_count_and_keep_the_other_filters(owner: Visitor, catalog: None) -> None:
    page = owner.get("/games?tag=Visual+Novel").text
    assert re.search(
        r'href="/games\?status=waiting&amp;tag=Visual\+Novel"[^>]*>Waiting for a build <span class="count">1<', page
    )
    assert "Tag: Visual Novel" in page


def test_no_match_is_not_the_same_as_no_games(owner: Visitor, catalog: None) -> None:
    page = owner.get("/games?q=<lantern>").text
    assert "No games match “&lt;lantern&gt;”" in page
    assert "has no games yet" not in page


def test_the_number_of_queries_does_not_grow_with_the_games(app: Flask, cast: Cast, owner: Visitor) -> None:
    def queries() -> int:
        count = 0

        def counted(*_: object) -> None:
            nonlocal count
            count += 1

        event.listen(db.engine, "before_cursor_execute", counted)
        owner.get("/games")
        event.remove(db.engine, "before_cursor_execute", counted)
        return count

    scenes.add_game(cast.starlight.partner_id, "One", "one", [Sent(on=[On("srv-01")])])
    few = queries()
    for number in range(20):
        scenes.add_game(
            cast.starlight.partner_id,
            f"Game {number}",
            f"game-{number}",
            [Sent(on=[On("srv-01")])],
            age=timedelta(days=1),
        )
    assert queries() == few


def test_a_title_with_markup_is_text(owner: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "<script>alert(1)</script>", "markup")
    for path in ("/games", "/games/markup", "/games/markup/matrix"):
        assert "<script>alert" not in owner.get(path).text


def test_a_fragment_request_gets_the_same_page(owner: Visitor, catalog: None) -> None:
    answer = owner.get("/games", headers=HTMX)
    assert answer.status_code == 200
    assert "HX-Request" in answer.headers["Vary"]


@pytest.mark.parametrize("path", ["/catalog/parts", "/catalog/live", "/catalog/parts?tag=Horror"])
def test_the_list_is_live_for_its_own_partner(
    owner: Visitor, stranger: Visitor, visitor: Visitor, catalog: None, path: str
) -> None:
    if "parts" in path:
        assert "Night Ferry" in owner.get(path, headers=HTMX).text
        assert "Night Ferry" not in stranger.get(path, headers=HTMX).text
    assert visitor.get(path).status_code == 302
    assert visitor.get(path, headers=HTMX).status_code == 401


def test_a_change_on_a_server_changes_its_row_and_the_title(owner: Visitor, cast: Cast) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(on=[On("srv-01")])])
    scenes.servers_report()
    first = owner.get("/catalog/parts", headers=HTMX)
    unchanged = owner.get("/catalog/parts", headers=HTMX | {"If-None-Match": first.headers["ETag"]})
    assert unchanged.status_code == 304
    with writing() as session:
        replica = session.scalars(select(Replica).where(Replica.game_id == game_id)).one()
        replica.phase, replica.attempt, replica.reason = "failed", 9, "disk full"
        announce(partner_topic(cast.starlight.partner_id))
    changed = owner.get("/catalog/parts", headers=HTMX | {"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert "<title>(1 failed) Games · Slipway</title>" in changed.text
    assert "Failed on 1 of 3" in changed.text


def test_the_script_reads_a_game_with_one_connection_at_a_time(app: Flask, owner: Visitor, cast: Cast) -> None:
    """The member's sign-in was read with a connection of its own. A request that has one and waits for another could
    wait for itself."""
    scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(on=[On("srv-01")])])
    taken: list[int] = []
    db.session.remove()
    event.listen(db.engine, "before_cursor_execute", lambda *_: taken.append(db.engine.pool.checkedout()))  # type: ignore[attr-defined]

    answer = owner.get("/games/low-tide/detail", headers=HTMX)

    assert answer.status_code == 200, answer.text
    assert set(taken) == {1}


class _Elements(HTMLParser):
    """Counts the elements of a page's tree. The content of a template is not in it."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self._templates = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.count += not self._templates
        self._templates += tag == "template"

    def handle_endtag(self, tag: str) -> None:
        self._templates -= tag == "template"


@ONE_DATABASE
def test_the_first_paint_of_200_games_is_light(owner: Visitor, cast: Cast) -> None:
    """At most 90 kB, gzipped, of what the first paint waits for, and at most 1,500 nodes."""
    for number in range(4, 13):
        add_server(f"srv-{number:02}", "fra", CAST)
    servers = [f"srv-{number:02}" for number in range(1, 13)]
    add_many(cast.starlight.partner_id, Many(games=140, builds=0, servers=0, entries=0, assets=0))
    for number in range(60):
        behind = number % 12
        on = [On(server, "downloading" if place == behind else "cached") for place, server in enumerate(servers)]
        title = f"The {number}th Chronicle of the Lighthouse Keepers"
        scenes.add_game(cast.starlight.partner_id, title, f"chronicle-{number}", [Sent(on=on)])
    scenes.servers_report()

    page = owner.get("/games").text

    assert "50 of 200 games" in plain(page)
    assert page.count("Arriving on 1 of 12") == 50
    files = sum((bundle.folder / f"{bundle.names()[name]}.gz").stat().st_size for name in ("main.js", "main.css"))
    assert files + len(gzip.compress(page.encode(), 6)) <= 90_000
    elements = _Elements()
    elements.feed(page)
    covers = 2 * 50  # an image and the canvas of its placeholder in each row
    assert elements.count + covers <= 1_500


def test_uploads_are_listed_under_their_game_and_apart_without_one(
    owner: Visitor, viewer: Visitor, stranger: Visitor, cast: Cast
) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Moth Season", "moth-season")
    token = {"X-CSRFToken": owner.token()}
    ids: list[str] = []
    for path in ("/uploads", "/games/moth-season/uploads"):
        body = {"fileName": f"file{len(ids)}.tar.gz", "size": 1000}
        answer = owner.send("POST", path, json=body, headers=token)
        assert answer.json is not None
        ids.append(answer.json["id"])

    page = viewer.get("/games").text
    row = page.split('id="game-moth-season"')[1].split("</tbody>")[0]
    apart = page.split('id="other-uploads"')[1].split('id="games-table"')[0]
    assert (f'data-upload="{ids[1]}"' in row, "file1.tar.gz" in row, ids[0] in row) == (True, True, False)
    assert ("Uploads without a game yet" in apart, ids[0] in apart, ids[1] in apart) == (True, True, False)
    for upload_id in ids:
        assert f'data-to="/uploads/{upload_id}"' in page
        assert viewer.get(f"/uploads/{upload_id}").status_code == 200
        assert stranger.get(f"/uploads/{upload_id}").status_code == 404
    assert not any(upload_id in stranger.get("/games").text for upload_id in ids)

    # Nothing arrived since, as the rows know it: the words stand without a script.
    with writing() as session:
        for upload in session.scalars(select(Upload)):
            upload.touched_at = datetime(2026, 11, 14, 22, 31, tzinfo=UTC)
        announce(partner_topic(cast.starlight.partner_id), game_topic(game_id))
    stopped = plain(viewer.get("/games").text)
    assert "file1.tar.gz Stopped, nothing received since 14 Nov, 22:31 UTC" in stopped
    assert "file0.tar.gz Nothing received since 14 Nov, 22:31 UTC" in stopped, "all of it may have arrived"
    page = viewer.get("/games/moth-season").text
    assert "Stopped, nothing received since 14 Nov, 22:31 UTC" in plain(page)
    assert re.search(r'data-quiet="120" class="stopped">', page)

    # Each change is announced to the list.
    changed = [owner.get("/catalog/parts").headers["ETag"]]
    for upload_id in ids:
        assert owner.send("DELETE", f"/uploads/{upload_id}", headers=token).status_code == 204
        changed.append(owner.get("/catalog/parts").headers["ETag"])
    assert len(set(changed)) == 3
    assert "data-upload=" not in owner.get("/games").text


def test_a_list_is_rendered_again_when_an_upload_counts_as_stopped(owner: Visitor, cast: Cast) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Moth Season", "moth-season")
    body = {"fileName": "tide.tar.gz", "size": 1000}
    owner.send("POST", "/games/moth-season/uploads", json=body, headers={"X-CSRFToken": owner.token()})
    [upload] = current_uploads(game_id)
    line = upload_line(upload)
    assert line.stops_at == stops_at(upload)
    assert next_stop([line], None, upload.touched_at) == upload.touched_at
    assert next_stop([line], None) == line.stops_at
    assert next_stop([replace(line, stops_at=None)], None) is None
