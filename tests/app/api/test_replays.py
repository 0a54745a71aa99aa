"""What a repeated request gets: the first answer with its headers, or the same with addresses that work now."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.accounts.callers import Caller
from app.api.apis import PARTNERS
from app.api.envelopes import Problem
from app.api.pipeline import Result
from app.data.database import writing
from app.data.extensions import csrf, db
from app.data.models.audit_record import AnsweredRequest
from app.data.models.upload import Upload
from app.uploads.resumable.archive_check import examine
from tests.app.api.calling import GAMES, Script, body, refused
from tests.app.api.v1.calling import Studio, announced, answered
from tests.app.images.images import picture
from tests.app.uploads.resumable.sending import put
from tests.conftest import Cast
from tests.game_archives import game_archive

ONCE = {"Idempotency-Key": "once"}
UPLOADS = f"{GAMES}/paper-lanterns/uploads"
SIGNATURE = "X-Amz-Signature="


def rows() -> list[AnsweredRequest]:
    db.session.rollback()
    return list(db.session.scalars(select(AnsweredRequest)))


@pytest.fixture
def archive() -> bytes:
    return game_archive()


def begin(script: Script, archive: bytes, **headers: str) -> TestResponse:
    return script.ask("POST", UPLOADS, ONCE | headers, json={"fileName": "a.tar.gz", "size": len(archive)})


def test_the_headers_of_the_first_answer_come_again(app: Flask, script: Script) -> None:
    """On a call made for this: none of ours has all of these."""
    headers = {"ETag": '"1"', "Location": "/there", "Cache-Control": "no-store", "X-Made-By": "a view"}

    @PARTNERS.call("Try headers", scope="write", responses={201: Problem})
    def view(caller: Caller) -> Result:
        return Result(Problem(error="none", message="made"), 201, headers)

    app._got_first_request = False
    app.add_url_rule("/api/partners/headers", "headers", csrf.exempt(view), methods=["POST"])
    first, again = (script.ask("POST", "/api/partners/headers", ONCE) for _ in range(2))

    assert body(again, 201) == body(first, 201)
    for name, value in headers.items():
        assert first.headers[name] == again.headers[name] == value
    assert again.headers["Idempotent-Replayed"] == "true"
    # These are of the request that is answered now.
    assert first.headers["X-Request-Id"] != again.headers["X-Request-Id"]
    left = [int(answer.headers["X-RateLimit-Remaining"]) for answer in (first, again)]
    assert left[1] == left[0] - 1


def test_an_answer_of_ours_comes_again_with_every_header(script: Script) -> None:
    first, again = (script.register(ONCE) for _ in range(2))
    of_this_request = {"X-Request-Id", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Date"}
    kept = {name: value for name, value in first.headers if name not in of_this_request}
    assert {name: again.headers.get(name) for name in kept} == kept
    assert again.headers["Cache-Control"] == "private, no-cache"


def test_an_answer_stored_before_headers_were_is_json(script: Script) -> None:
    first = script.register(ONCE)
    with writing() as session:
        session.execute(update(AnsweredRequest).values(headers=None))
    again = script.register(ONCE)
    assert (again.data, again.mimetype) == (first.data, "application/json")


def test_addresses_are_not_stored_and_those_of_a_replay_work(script: Script, archive: bytes) -> None:
    script.register()
    first = body(begin(script, archive), 201)
    assert SIGNATURE in first["urls"][0]["url"]
    (row,) = rows()
    assert SIGNATURE not in f"{row.body}{row.headers}"

    again = begin(script, archive)
    upload = body(again, 201)
    assert again.headers["Cache-Control"] == "no-store"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert upload["id"] == first["id"]
    assert put(upload["urls"][0]["url"], archive) == 200
    assert len(db.session.scalars(select(Upload)).all()) == 1


def test_a_replay_tells_what_became_of_the_upload(script: Script, archive: bytes) -> None:
    script.register()
    upload = body(begin(script, archive), 201)
    put(upload["urls"][0]["url"], archive)
    arrived = body(begin(script, archive), 201)
    assert [part["partNumber"] for part in arrived["parts"]] == [1]
    body(script.ask("POST", f"{UPLOADS}/{upload['id']}/complete"))
    examine(upload["id"])
    done = body(begin(script, archive), 201)
    assert (done["phase"], done["build"], done["urls"]) == ("done", 1, [])
    body_of_cancelled = script.ask("DELETE", f"{UPLOADS}/{upload['id']}")
    assert body_of_cancelled.status_code == 204
    refused(begin(script, archive), 404, "not_found")


@pytest.mark.settings(SLIPWAY_UPLOAD_RATE="2 per hour", SLIPWAY_API_RATE="8 per minute")
def test_a_replay_costs_no_upload_of_the_ten_an_hour(script: Script, archive: bytes) -> None:
    script.register()
    for _ in range(5):
        body(begin(script, archive), 201)
    second = {"Idempotency-Key": "twice"}
    body(begin(script, archive, **second), 201)
    refused(begin(script, archive, **{"Idempotency-Key": "a third upload"}), 429, "rate_limited")
    # A replay is counted as any other call is.
    answers = [begin(script, archive).status_code for _ in range(4)]
    assert answers == [201, 201, 201, 429]


def test_another_body_under_the_same_key_is_refused_here_too(script: Script, archive: bytes) -> None:
    script.register()
    body(begin(script, archive), 201)
    other = script.ask("POST", UPLOADS, ONCE, json={"fileName": "other.tar.gz", "size": 5})
    assert "another request" in refused(other, 400, "invalid_request")


def test_asking_for_addresses_again_gives_new_ones(script: Script, archive: bytes) -> None:
    script.register()
    upload = body(begin(script, archive), 201)
    asked = {"Idempotency-Key": "parts"}
    path = f"{UPLOADS}/{upload['id']}/parts"
    answers = [script.ask("POST", path, asked, json={"partNumbers": [1]}) for _ in range(2)]
    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 2
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert put(body(answers[1])["urls"][0]["url"], archive) == 200
    assert all(SIGNATURE not in f"{row.body}{row.headers}" for row in rows())


def test_an_image_presigned_again_has_an_address_that_works(client: FlaskClient, cast: Cast) -> None:
    studio, data = Studio(client, cast.starlight.key), picture()
    studio.new_game()
    answers: list[Any] = []
    for _ in range(2):
        answer = studio.at("POST", "/assets/presign", headers=ONCE, json=announced(data))
        assert answer.headers["Cache-Control"] == "no-store"
        answers.append(answered(answer))
    assert answers[0]["key"] == answers[1]["key"]
    assert answer.headers["Idempotent-Replayed"] == "true"
    (row,) = rows()
    assert SIGNATURE not in f"{row.body}{row.headers}"
    studio.upload(data)
