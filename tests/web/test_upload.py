"""What the script of a page asks while it sends a build: who may, what is refused, what is told."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import AuditEntry, Build, Upload
from app.uploads.examining import Outcome, examine
from app.web import upload as module
from tests.archives import game_archive
from tests.conftest import Cast
from tests.uploads_api.sending import put
from tests.web import scenes
from tests.web.conftest import HTMX, ONE_DATABASE, Visitor

pytestmark = ONE_DATABASE

PAGE = "/games/paper-lanterns"
URL = f"{PAGE}/uploads"


@pytest.fixture
def game(cast: Cast) -> str:
    return scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")


def ask(visitor: Visitor, method: str, path: str, data: dict[str, Any] | None = None) -> TestResponse:
    """A call as the script makes it, with this browser's token."""
    return visitor.send(method, path, data=data, headers=HTMX | {"X-CSRFToken": visitor.token()})


def begin(visitor: Visitor, length: int, **fields: str) -> TestResponse:
    return ask(visitor, "POST", URL, {"file_name": "lanterns.tar.gz", "size": str(length), "release": "1"} | fields)


def told(answer: TestResponse) -> dict[str, Any]:
    """The JSON of an answer."""
    found: dict[str, Any] | None = answer.json
    assert found is not None, answer.text
    return found


def begun(visitor: Visitor, archive: bytes, **fields: str) -> dict[str, Any]:
    answer = begin(visitor, len(archive), **fields)
    assert answer.status_code == 201, answer.text
    return told(answer)


def sent(visitor: Visitor, archive: bytes, **fields: str) -> str:
    """Every part of the archive, and that it is whole; the upload's address."""
    upload = begun(visitor, archive, **fields)
    assert put(upload["urls"]["1"], archive) == 200
    address = f"{URL}/{upload['id']}"
    answer = ask(visitor, "POST", f"{address}/completion")
    assert told(answer)["phase"] == "checking"
    return address


def checked(visitor: Visitor, archive: bytes, **fields: str) -> dict[str, Any]:
    address = sent(visitor, archive, **fields)
    assert examine(address.rpartition("/")[2]) in {Outcome.DONE, Outcome.FAILED}
    return told(visitor.get(address))


def builds() -> list[Build]:
    db.session.rollback()
    return list(db.session.scalars(select(Build).order_by(Build.number)))


def test_parts_go_straight_to_storage_and_become_a_live_build(owner: Visitor, game: str) -> None:
    archive = game_archive()
    opened = begin(owner, len(archive), file_name="lanterns été.tar.gz")
    assert opened.headers["Cache-Control"] == "no-store"
    upload = told(opened)
    assert (upload["phase"], upload["parts"], list(upload["urls"])) == ("uploading", [], ["1"])
    address = f"{URL}/{upload['id']}"
    assert put(told(ask(owner, "POST", f"{address}/parts", {"number": "1"}))["urls"]["1"], archive) == 200
    arrived = told(owner.get(address))
    assert (arrived["parts"], arrived["receivedBytes"]) == ([1], len(archive))
    assert told(ask(owner, "POST", f"{address}/completion"))["phase"] == "checking"
    assert told(ask(owner, "POST", f"{address}/completion"))["phase"] == "checking", "the answer was lost"
    examine(upload["id"])
    done = told(owner.get(address))
    assert (done["phase"], done["build"], done["released"], done["unchanged"]) == ("done", 1, True, False)
    (build,) = builds()
    assert (build.file_name, build.sent_by) == ("lanterns été.tar.gz", "Owner")
    assert ask(owner, "POST", f"{address}/parts", {"number": "1"}).status_code == 409


def test_release_when_ready_may_be_off_for_one_upload_and_the_same_bytes_are_the_same(
    owner: Visitor, game: str
) -> None:
    assert checked(owner, game_archive(), release="0")["released"] is False
    assert builds()[0].released_at is None
    again = checked(owner, game_archive())
    assert (again["build"], again["released"], again["unchanged"]) == (1, False, True)


def test_a_refusal_says_what_is_wrong_and_stays_on_the_page(owner: Visitor, game: str) -> None:
    failed = checked(owner, b"PK\x03\x04 a zip" * 100)
    assert failed["phase"] == "failed"
    assert "zip" in failed["reason"].lower()
    page = owner.get(PAGE).text
    assert "Failed check: " in page
    assert "No number" in page
    assert builds() == []


def test_what_has_not_arrived_is_named(owner: Visitor, game: str) -> None:
    upload = begun(owner, game_archive())
    answer = ask(owner, "POST", f"{URL}/{upload['id']}/completion")
    assert (answer.status_code, answer.text) == (
        409,
        "Part 1 has not arrived (1 in all). Send what is missing, then complete again.\n",
    )
    assert answer.mimetype == "text/plain"
    for numbers in ({"number": "2"}, {"number": "x"}, {}):
        assert ask(owner, "POST", f"{URL}/{upload['id']}/parts", numbers).status_code == 400


def test_a_cancelled_upload_is_gone(owner: Visitor, game: str) -> None:
    address = f"{URL}/{begun(owner, game_archive())['id']}"
    assert ask(owner, "DELETE", address).status_code == 204
    assert owner.get(address, headers=HTMX).status_code == 404
    assert ask(owner, "DELETE", address).status_code == 404
    db.session.rollback()
    assert db.session.scalars(select(Upload)).all() == []


@pytest.mark.settings(MAX_ARCHIVE_BYTES="1000")
def test_what_cannot_be_taken_is_refused_before_a_byte_of_it(owner: Visitor, game: str) -> None:
    answer = begin(owner, 1001)
    assert answer.status_code == 413
    assert "1,000 bytes" in answer.text
    for fields in ({"file_name": "a/b.tar.gz"}, {"file_name": ""}, {"size": "0"}, {"size": "much"}, {"release": "2"}):
        assert begin(owner, 1000, **fields).status_code == 400, fields
    assert "Rename the file" in begin(owner, 1000, file_name="a\\b.tar.gz").text
    db.session.rollback()
    assert db.session.scalars(select(Upload)).all() == []
    assert db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.refused")).all() == []


def test_without_a_token_nothing_begins(owner: Visitor, game: str) -> None:
    answer = owner.send("POST", URL, data={"file_name": "a.tar.gz", "size": "1", "release": "1"}, headers=HTMX)
    assert answer.status_code == 400
    assert "earlier session" in answer.text


def test_viewers_see_an_upload_and_change_nothing(owner: Visitor, viewer: Visitor, game: str) -> None:
    address = f"{URL}/{begun(owner, game_archive())['id']}"
    assert told(viewer.get(address))["phase"] == "uploading"
    calls = [("POST", URL), ("POST", f"{address}/parts"), ("POST", f"{address}/completion"), ("DELETE", address)]
    for method, path in calls:
        answer = ask(viewer, method, path)
        assert answer.status_code == 403, path
        assert "your role is viewer" in answer.text
    assert 'id="drop-file"' not in viewer.get(PAGE).text


def test_strangers_and_the_signed_out_find_nothing(
    owner: Visitor, stranger: Visitor, visitor: Visitor, game: str, cast: Cast
) -> None:
    scenes.add_game(cast.moonbase.partner_id, "Their own", "paper-boats")
    upload_id = begun(owner, game_archive())["id"]
    for path in (f"{URL}/{upload_id}", f"/games/paper-boats/uploads/{upload_id}"):
        calls = [("GET", path), ("POST", f"{path}/parts"), ("POST", f"{path}/completion"), ("DELETE", path)]
        assert [ask(stranger, *call).status_code for call in calls] == [404] * 4
    assert ask(stranger, "POST", URL).status_code == 404
    assert ask(visitor, "POST", URL).status_code == 401
    assert visitor.get(f"{URL}/{upload_id}", headers=HTMX).status_code == 401
    assert told(owner.get(f"{URL}/{upload_id}"))["phase"] == "uploading"


def test_a_member_begins_so_many_an_hour(owner: Visitor, game: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RATE", "1 per hour")
    assert begin(owner, 10).status_code == 201
    answer = begin(owner, 10)
    assert answer.status_code == 429
    assert "More than 1 per hour for you" in answer.text
    assert int(answer.headers["Retry-After"]) > 0


def test_reach_says_on_how_many_servers_a_live_build_is(app: Flask, owner: Visitor, game: str) -> None:
    checked(owner, game_archive())
    assert owner.get(f"{PAGE}/builds/1/reach").json == {"live": True, "cached": 0, "servers": 3}
    scenes.change(game, 1, "srv-02", phase="cached")
    assert owner.get(f"{PAGE}/builds/1/reach").json == {"live": True, "cached": 1, "servers": 3}
    assert owner.get(f"{PAGE}/builds/2/reach").status_code == 404


def test_the_policy_lets_pages_send_to_storage_and_nowhere_else(app: Flask, owner: Visitor, game: str) -> None:
    policy = owner.get(PAGE).headers["Content-Security-Policy"]
    storage = app.config["SLIPWAY"].storage.public_endpoint
    assert f"connect-src 'self' {storage};" in policy
