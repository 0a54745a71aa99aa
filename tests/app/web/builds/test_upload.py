"""What the script of a page asks while it sends a build: who may, what is refused, what is told."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Build
from app.data.models.upload import Upload
from app.uploads.resumable.archive_check import Outcome, examine
from tests.app.uploads.resumable.sending import put
from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.conftest import Cast
from tests.game_archives import game_archive

pytestmark = ONE_DATABASE

PAGE = "/games/paper-lanterns"
URL = f"{PAGE}/uploads"


@pytest.fixture
def game(cast: Cast) -> str:
    return scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")


def ask(visitor: Visitor, method: str, path: str, json: dict[str, Any] | None = None) -> TestResponse:
    """A call as the script makes it, with this browser's token."""
    return visitor.send(method, path, json=json, headers={"X-CSRFToken": visitor.token()})


def begin(visitor: Visitor, length: int, **fields: Any) -> TestResponse:
    return ask(visitor, "POST", URL, {"fileName": "lanterns.tar.gz", "size": length, "release": True} | fields)


def told(answer: TestResponse) -> dict[str, Any]:
    """The JSON of an answer."""
    found: dict[str, Any] | None = answer.json
    assert found is not None, answer.text
    return found


def refusal(answer: TestResponse, status: int) -> str:
    """The message of the flat envelope."""
    assert answer.status_code == status, answer.text
    assert set(told(answer)) == {"error", "message"}
    return str(told(answer)["message"])


def begun(visitor: Visitor, archive: bytes, **fields: Any) -> dict[str, Any]:
    answer = begin(visitor, len(archive), **fields)
    assert answer.status_code == 201, answer.text
    return told(answer)


def sent(visitor: Visitor, archive: bytes, **fields: Any) -> str:
    """Every part of the archive, and that it is whole; the upload's address."""
    upload = begun(visitor, archive, **fields)
    assert put(upload["urls"][0]["url"], archive) == 200
    address = f"{URL}/{upload['id']}"
    answer = ask(visitor, "POST", f"{address}/complete")
    assert told(answer)["phase"] == "checking"
    return address


def checked(visitor: Visitor, archive: bytes, **fields: Any) -> dict[str, Any]:
    address = sent(visitor, archive, **fields)
    assert examine(address.rpartition("/")[2]) in {Outcome.DONE, Outcome.FAILED}
    return told(visitor.get(address))


def builds() -> list[Build]:
    db.session.rollback()
    return list(db.session.scalars(select(Build).order_by(Build.number)))


def test_parts_go_straight_to_storage_and_become_a_live_build(owner: Visitor, game: str) -> None:
    archive = game_archive()
    opened = begin(owner, len(archive), fileName="lanterns été.tar.gz")
    assert opened.headers["Cache-Control"] == "no-store"
    upload = told(opened)
    assert (upload["phase"], upload["parts"], len(upload["urls"])) == ("uploading", [], 1)
    address = f"{URL}/{upload['id']}"
    signed = told(ask(owner, "POST", f"{address}/parts", {"partNumbers": [1]}))
    assert put(signed["urls"][0]["url"], archive) == 200
    arrived = told(owner.get(address))
    assert [part["partNumber"] for part in arrived["parts"]] == [1]
    assert arrived["receivedBytes"] == len(archive)
    assert told(ask(owner, "POST", f"{address}/complete"))["phase"] == "checking"
    assert told(ask(owner, "POST", f"{address}/complete"))["phase"] == "checking", "the answer was lost"
    examine(upload["id"])
    done = told(owner.get(address))
    assert (done["phase"], done["build"], done["released"], done["unchanged"]) == ("done", 1, True, False)
    (build,) = builds()
    assert (build.file_name, build.sent_by) == ("lanterns été.tar.gz", "Owner")
    assert ask(owner, "POST", f"{address}/parts", {"partNumbers": [1]}).status_code == 409


def test_release_when_ready_may_be_off_for_one_upload_and_the_same_bytes_are_the_same(
    owner: Visitor, game: str
) -> None:
    assert checked(owner, game_archive(), release=False)["released"] is False
    assert builds()[0].released_at is None
    again = checked(owner, game_archive())
    assert (again["build"], again["released"], again["unchanged"]) == (1, False, True)


def test_a_refusal_says_what_is_wrong_and_stays_on_the_page(owner: Visitor, game: str) -> None:
    failed = checked(owner, b"PK\x03\x04 a zip" * 100)
    assert failed["phase"] == "failed"
    assert "zip" in failed["reason"].lower()
    page = owner.get(PAGE).text
    assert "Failed check: " in page
    assert 'aria-label="Rejected archives"' in page
    assert builds() == []


def test_what_has_not_arrived_is_named(owner: Visitor, game: str) -> None:
    upload = begun(owner, game_archive())
    answer = ask(owner, "POST", f"{URL}/{upload['id']}/complete")
    assert refusal(answer, 409) == "Part 1 has not arrived (1 in all). Send what is missing, then complete again."
    for numbers in ({"partNumbers": [2]}, {"partNumbers": ["x"]}, {}):
        assert ask(owner, "POST", f"{URL}/{upload['id']}/parts", numbers).status_code == 400


def test_a_cancelled_upload_is_gone(owner: Visitor, game: str) -> None:
    address = f"{URL}/{begun(owner, game_archive())['id']}"
    assert ask(owner, "DELETE", address).status_code == 204
    assert owner.get(address).status_code == 404
    assert ask(owner, "DELETE", address).status_code == 404
    db.session.rollback()
    assert db.session.scalars(select(Upload)).all() == []


@pytest.mark.settings(MAX_ARCHIVE_BYTES="1000")
def test_what_cannot_be_taken_is_refused_before_a_byte_of_it(owner: Visitor, game: str) -> None:
    answer = begin(owner, 1001)
    assert "larger than 1,000 B, the maximum" in refusal(answer, 413)
    for fields in ({"fileName": "a/b.tar.gz"}, {"fileName": ""}, {"size": 0}, {"size": "much"}, {"release": 2}):
        refusal(begin(owner, 1000, **fields), 400)
    assert "fileName must be a plain file name" in refusal(begin(owner, 1000, fileName="a\\b.tar.gz"), 400)
    db.session.rollback()
    assert db.session.scalars(select(Upload)).all() == []
    assert db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.refused")).all() == []


def test_without_a_token_nothing_begins(owner: Visitor, game: str) -> None:
    for headers in ({}, {"X-CSRFToken": "made up"}):
        answer = owner.send("POST", URL, json={"fileName": "a.tar.gz", "size": 1}, headers=headers)
        assert "earlier session" in refusal(answer, 400)
    db.session.rollback()
    assert db.session.scalars(select(Upload)).all() == []


def test_viewers_see_an_upload_and_change_nothing(owner: Visitor, viewer: Visitor, game: str) -> None:
    address = f"{URL}/{begun(owner, game_archive())['id']}"
    assert told(viewer.get(address))["phase"] == "uploading"
    calls = [("POST", URL), ("POST", f"{address}/parts"), ("POST", f"{address}/complete"), ("DELETE", address)]
    for method, path in calls:
        answer = ask(viewer, method, path)
        assert "your role is viewer" in refusal(answer, 403), path
    assert 'id="drop-file"' not in viewer.get(PAGE).text


def test_strangers_and_the_signed_out_find_nothing(
    owner: Visitor, stranger: Visitor, visitor: Visitor, game: str, cast: Cast
) -> None:
    scenes.add_game(cast.moonbase.partner_id, "Their own", "paper-boats")
    upload_id = begun(owner, game_archive())["id"]
    for path in (f"{URL}/{upload_id}", f"/games/paper-boats/uploads/{upload_id}"):
        calls = [("GET", path), ("POST", f"{path}/parts"), ("POST", f"{path}/complete"), ("DELETE", path)]
        assert [ask(stranger, *call).status_code for call in calls] == [404] * 4
    assert ask(stranger, "POST", URL).status_code == 404
    assert ask(visitor, "POST", URL).status_code == 401
    assert visitor.get(f"{URL}/{upload_id}").status_code == 401
    assert told(owner.get(f"{URL}/{upload_id}"))["phase"] == "uploading"


def test_a_member_begins_so_many_an_hour(owner: Visitor, game: str) -> None:
    headers = {"X-CSRFToken": owner.token()}
    assert owner.send("POST", URL, json={}, headers=headers).status_code == 400  # it counts as no upload
    for _ in range(30):
        assert begin(owner, 10).status_code == 201
    answer = begin(owner, 10)
    assert "The limit is 30 uploads per hour for you." in refusal(answer, 429)
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.settings(SLIPWAY_API_RATE="1 per minute")
def test_a_page_may_ask_every_second(owner: Visitor, game: str) -> None:
    """The limit of keys is not one of pages, which follow three checks at once."""
    address = f"{URL}/{begun(owner, game_archive())['id']}"
    assert {owner.get(path).status_code for path in [address, f"{PAGE}/detail"] * 3} == {200}


def test_the_detail_says_on_how_many_servers_a_live_build_is(app: Flask, owner: Visitor, game: str) -> None:
    checked(owner, game_archive())
    detail = told(owner.get(f"{PAGE}/detail"))
    assert (detail["releasedBuild"], detail["cacheStatus"]) == (1, {"servers": 3, "cached": 0})
    scenes.servers_report()
    scenes.change(game, 1, "srv-02", phase="cached")
    assert told(owner.get(f"{PAGE}/detail"))["cacheStatus"] == {"servers": 3, "cached": 1}


def test_the_policy_lets_pages_send_to_storage_and_nowhere_else(app: Flask, owner: Visitor, game: str) -> None:
    policy = owner.get(PAGE).headers["Content-Security-Policy"]
    storage = app.config["SLIPWAY"].storage.public_endpoint
    assert f"connect-src 'self' {storage};" in policy


def test_an_archive_is_sent_before_its_game_is_registered(
    owner: Visitor, viewer: Visitor, stranger: Visitor, game: str
) -> None:
    archive = game_archive()
    fields = {"fileName": "lanterns.tar.gz", "size": len(archive)}
    assert "your role is viewer" in refusal(ask(viewer, "POST", "/uploads", fields), 403)
    assert owner.send("POST", "/uploads", json=fields).status_code == 400, "without a token"
    upload = told(ask(owner, "POST", "/uploads", fields))
    address = f"/uploads/{upload['id']}"
    assert put(upload["urls"][0]["url"], archive) == 200
    refusal(ask(owner, "POST", f"{address}/complete"), 409)
    for method, path, json in (
        ("DELETE", address, None),
        ("POST", f"{address}/complete", None),
        ("POST", f"{address}/parts", {"partNumbers": [1]}),
        ("POST", f"{address}/game", {"game": "paper-lanterns"}),
    ):
        refusal(ask(viewer, method, path, json), 403)
        refusal(ask(stranger, method, path, json), 404)
    assert told(ask(owner, "POST", f"{address}/game", {"game": "paper-lanterns"}))["game"] == "paper-lanterns"
    assert told(ask(owner, "POST", f"{address}/complete"))["phase"] == "checking"
    assert examine(upload["id"]) is Outcome.DONE
    assert told(viewer.get(address))["build"] == 1
