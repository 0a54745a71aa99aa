"""Sending a build from a page."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.models import AuditEntry, Build
from app.web import upload as module
from tests.archives import game_archive
from tests.conftest import Cast
from tests.web import scenes
from tests.web.conftest import HTMX, ONE_DATABASE, Visitor

pytestmark = ONE_DATABASE

URL = "/games/paper-lanterns/upload"


@pytest.fixture
def game(cast: Cast) -> str:
    return scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")


def send(visitor: Visitor, body: bytes, path: str = URL, **headers: str) -> tuple[int, str, dict[str, object]]:
    """Status, text and JSON of an upload with this browser's token."""
    known = HTMX | {"Content-Type": "application/gzip", "X-CSRFToken": visitor.token()} | headers
    answer = visitor.send("PUT", path, data=body, headers=known)
    return answer.status_code, answer.text, answer.get_json(silent=True) or {}


def builds() -> list[Build]:
    db.session.rollback()
    return list(db.session.scalars(select(Build).order_by(Build.number)))


def test_a_file_becomes_a_build_that_is_live(owner: Visitor, game: str) -> None:
    status, _, answer = send(owner, game_archive(), **{"X-File-Name": "lanterns%20%C3%A9t%C3%A9.tar.gz"})
    assert (status, answer) == (200, {"build": 1, "released": True, "unchanged": False})
    (build,) = builds()
    assert (build.file_name, build.sent_by) == ("lanterns été.tar.gz", "Owner")


def test_release_when_ready_may_be_off_for_one_upload(owner: Visitor, game: str) -> None:
    status, _, answer = send(owner, game_archive(), f"{URL}?release=0")
    assert (status, answer["released"]) == (200, False)
    assert builds()[0].released_at is None


def test_the_same_bytes_again_are_said_to_be_the_same(owner: Visitor, game: str) -> None:
    send(owner, game_archive())
    assert send(owner, game_archive())[2] == {"build": 1, "released": True, "unchanged": True}


def test_a_refusal_is_a_line_that_names_what_is_wrong_and_stays_on_the_page(owner: Visitor, game: str) -> None:
    status, text, _ = send(owner, b"PK\x03\x04 a zip", **{"X-File-Name": "game.tar.gz"})
    assert status == 400
    assert "zip" in text.lower()
    assert "<html" not in text
    page = owner.get("/games/paper-lanterns").text
    assert "Failed check: " in page
    assert "No number" in page
    assert builds() == []


def test_without_a_token_nothing_is_read(owner: Visitor, game: str) -> None:
    answer = owner.send("PUT", URL, data=game_archive(), headers=HTMX | {"Content-Type": "application/gzip"})
    assert answer.status_code == 400
    assert "out of date" in owner.send("PUT", URL, data=b"x").text
    assert builds() == []


def test_a_body_larger_than_forms_may_be_is_no_form(owner: Visitor, game: str) -> None:
    status, text, _ = send(owner, b"\x00" * (3 * 1024**2))
    assert status == 400, text  # its check fails, not its size


@pytest.mark.settings(MAX_ARCHIVE_BYTES="1000")
def test_more_than_the_ceiling_is_refused_before_it_is_read(owner: Visitor, game: str) -> None:
    status, text, _ = send(owner, b"x" * 1001)
    assert status == 413
    assert "1,000 bytes" in text
    assert db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.refused")).all() == []


def test_viewers_send_nothing(viewer: Visitor, game: str) -> None:
    status, text, _ = send(viewer, game_archive())
    assert status == 403
    assert "your role is viewer" in text
    assert 'id="drop-file"' not in viewer.get("/games/paper-lanterns").text


def test_another_partner_finds_no_game(stranger: Visitor, game: str) -> None:
    assert send(stranger, game_archive())[0] == 404
    assert stranger.get("/games/paper-lanterns/builds/1/reach").status_code == 404


def test_signed_out_nothing_is_sent(visitor: Visitor, game: str) -> None:
    assert send(visitor, game_archive())[0] == 401


def test_other_types_and_names_are_refused(owner: Visitor, game: str) -> None:
    assert send(owner, game_archive(), **{"Content-Type": "text/plain"})[0] == 415
    status, text, _ = send(owner, game_archive(), **{"X-File-Name": "a%2Fb.tar.gz"})
    assert status == 400
    assert "Rename the file" in text


def test_a_member_sends_so_many_an_hour(owner: Visitor, game: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RATE", "1 per hour")
    assert send(owner, game_archive())[0] == 200
    status, text, _ = send(owner, game_archive(seed=2))
    assert status == 429
    assert "More than 1 per hour for you" in text


def test_reach_says_on_how_many_servers_a_live_build_is(app: Flask, owner: Visitor, game: str) -> None:
    send(owner, game_archive())
    assert owner.get("/games/paper-lanterns/builds/1/reach").json == {"live": True, "cached": 0, "servers": 3}
    scenes.change(game, 1, "srv-02", phase="cached")
    assert owner.get("/games/paper-lanterns/builds/1/reach").json == {"live": True, "cached": 1, "servers": 3}
    assert owner.get("/games/paper-lanterns/builds/2/reach").status_code == 404
