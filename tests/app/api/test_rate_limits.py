"""Rate limits: partner-api.md 6, DECISIONS 9 and 10."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.accounts.keys import revoke_key
from app.data.extensions import db
from app.data.models.partner import ApiKey
from tests.app.api.calling import GAMES, Script, body, refused
from tests.conftest import CAST, Cast, bearer
from tests.game_archives import game_archive

# Nothing here depends on the kind of database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def until(answered: Callable[[], TestResponse], status: int, seconds: float = 20) -> TestResponse:
    """Ask again and again until the answer has this status."""
    deadline = time.monotonic() + seconds
    while (answer := answered()).status_code != status:
        assert time.monotonic() < deadline, f"still {answer.status_code} after {seconds} s"
    return answer


def remaining(answer: TestResponse) -> int:
    return int(answer.headers["X-RateLimit-Remaining"])


@pytest.mark.settings(SLIPWAY_API_RATE="3 per hour")
def test_beyond_the_limit_calls_are_refused_until_the_window_ends(script: Script) -> None:
    answers = [script.list() for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [remaining(answer) for answer in answers] == [2, 1, 0]
    assert not [answer for answer in answers if "Retry-After" in answer.headers]

    before = time.time()
    refusal = script.list()
    message = refused(refusal, 429, "rate_limited")
    assert "The limit is 3 calls per hour for this key. Go on at " in message
    assert re.search(r"Go on at \d\d:\d\d:\d\d UTC, in \d+ seconds", message)
    wait = int(refusal.headers["Retry-After"])
    assert str(wait) in message
    assert 3590 <= wait <= 3600
    assert refusal.headers["X-RateLimit-Limit"] == "3"
    assert remaining(refusal) == 0
    assert before + wait - 5 <= int(refusal.headers["X-RateLimit-Reset"]) <= time.time() + wait + 1


@pytest.mark.settings(SLIPWAY_API_RATE="1 per hour")
def test_refused_calls_do_not_move_the_end_of_the_window(script: Script) -> None:
    end = script.list().headers["X-RateLimit-Reset"]

    refusals = [script.list() for _ in range(5)]

    assert {answer.status_code for answer in refusals} == {429}
    assert {answer.headers["X-RateLimit-Reset"] for answer in refusals} == {end}


@pytest.mark.slow
@pytest.mark.settings(SLIPWAY_API_RATE="1 per 2 seconds")
def test_when_the_window_has_ended_calls_are_taken_again_though_refused_ones_never_stopped(script: Script) -> None:
    until(script.list, 429)
    until(script.list, 200)


@pytest.mark.settings(SLIPWAY_API_RATE="1000 per hour")
def test_every_answer_to_a_recognised_key_carries_the_counters(
    client: FlaskClient, script: Script, cast: Cast, subtests: pytest.Subtests
) -> None:
    etag = script.list().headers["ETag"]
    reader = Script(client, cast.starlight.reader_key)
    answers = {
        201: script.register(),
        304: script.list({"If-None-Match": script.list().headers["ETag"]}),
        400: script.register(title=""),
        403: reader.register(),
        404: script.read("nowhere"),
        409: script.register(),
        204: script.delete(),
        200: script.list({"If-None-Match": etag}),
    }
    for status, answer in answers.items():
        with subtests.test(status=status):
            assert answer.status_code == status
            assert answer.headers["X-RateLimit-Limit"] == "1000"
            assert 0 < remaining(answer) < 1000
            assert int(answer.headers["X-RateLimit-Reset"]) > time.time()
            assert "Retry-After" not in answer.headers


@pytest.mark.settings(SLIPWAY_API_RATE="2 per hour")
def test_what_is_not_recognised_counts_for_nobody(client: FlaskClient, script: Script, cast: Cast) -> None:
    for _ in range(5):
        answer = client.get(GAMES, headers=bearer("pp_unknown"))
        assert answer.status_code == 401
        assert not [name for name, _ in answer.headers if name.startswith("X-RateLimit")]
        client.get(GAMES)
        client.get("/api/partners/nothing", headers=bearer(script.key))

    assert remaining(script.list()) == 1


@pytest.mark.settings(SLIPWAY_API_RATE="2 per hour")
def test_a_revoked_key_is_told_so_and_not_that_it_calls_too_often(script: Script) -> None:
    for _ in range(3):
        script.list()
    for key in db.session.scalars(select(ApiKey)):
        revoke_key(key, CAST)

    refused(script.list(), 401, "unauthorized")


@pytest.mark.settings(SLIPWAY_API_RATE="2 per hour")
def test_each_key_has_its_own_count(client: FlaskClient, script: Script, stranger: Script, cast: Cast) -> None:
    script.list()
    script.list()
    refused(script.list(), 429, "rate_limited")

    assert remaining(Script(client, cast.starlight.reader_key).list()) == 1
    assert remaining(stranger.list()) == 1


@pytest.mark.settings(SLIPWAY_API_RATE="4 per hour", SLIPWAY_UPLOAD_RATE="3 per hour")
def test_uploads_are_counted_apart_and_refused_archives_too(script: Script) -> None:
    assert remaining(script.register()) == 3

    good = script.send(game_archive())
    assert (good.headers["X-RateLimit-Limit"], remaining(good)) == ("3", 2)
    bad = script.send(b"no archive")
    refused(bad, 400, "invalid_archive")
    assert remaining(bad) == 1
    assert remaining(script.send(game_archive(seed=1))) == 0
    over = script.send(game_archive(seed=2))
    assert "The limit is 3 uploads per hour for this key." in refused(over, 429, "rate_limited")
    assert 3500 < int(over.headers["Retry-After"]) <= 3600

    assert remaining(script.list()) == 2
    assert body(script.read())["releasedBuild"] == 2


@pytest.mark.settings(SLIPWAY_API_RATE="8 per hour", SLIPWAY_UPLOAD_RATE="1 per hour")
def test_refusals_before_an_archive_is_read_count_as_calls_and_not_as_uploads(script: Script, cast: Cast) -> None:
    script.register()
    url = f"{GAMES}/paper-lanterns/upload"
    answers = [
        script.send(game_archive(), slug="nowhere"),
        script.ask("PUT", url, {"Content-Type": "text/plain"}, data=b"x"),
        script.ask("PUT", url, {"Content-Type": "application/gzip", "Content-Encoding": "gzip"}, data=b"x"),
        script.ask("POST", f"{GAMES}/nowhere/uploads", json={}),
        script.ask("POST", f"{GAMES}/paper-lanterns/uploads", json={}),
    ]

    assert [answer.status_code for answer in answers] == [404, 415, 415, 404, 400]
    assert [remaining(answer) for answer in answers] == [6, 5, 4, 3, 2]
    assert answers[0].headers["X-RateLimit-Limit"] == "8"
    sent = script.send(game_archive())
    assert (sent.status_code, remaining(sent)) == (200, 0)


@pytest.mark.settings(SLIPWAY_API_RATE="2 per hour", SLIPWAY_UPLOAD_RATE="10 per hour")
def test_refused_uploads_are_limited_as_calls(script: Script) -> None:
    script.register()
    refused(script.send(game_archive(), slug="nowhere"), 404, "not_found")
    message = refused(script.send(game_archive(), slug="nowhere"), 429, "rate_limited")
    assert "2 calls per hour" in message


@pytest.mark.settings(SLIPWAY_API_RATE="1 per hour", SLIPWAY_UPLOAD_RATE="10 per hour")
def test_an_exhausted_key_can_still_upload(script: Script) -> None:
    script.register()
    refused(script.list(), 429, "rate_limited")

    body(script.send(game_archive()))


@pytest.mark.settings(SLIPWAY_API_RATE="1 per hour")
def test_agents_are_not_limited(client: FlaskClient, cast: Cast) -> None:
    """Their calls are coalesced instead: an agent that is refused would be shown as lost."""
    for _ in range(3):
        answer = client.get("/api/servers/self/plan", headers=bearer(cast.servers["srv-01"]))
        assert answer.status_code == 200
        assert "X-RateLimit-Limit" not in answer.headers
