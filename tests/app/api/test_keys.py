"""Keys at the door: DECISIONS 2 and 3."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.accounts.keys import create_key, revoke_key, roll_key
from app.accounts.partners import partner_named
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.base import Base, now
from app.data.models.partner import SCOPES, ApiKey
from app.topics.names import KEYS_TOPIC
from tests.app.api.calling import GAMES, Script, body, refused
from tests.conftest import CAST, Cast, bearer


def key_of(secret: str) -> ApiKey:
    return next(key for key in db.session.scalars(select(ApiKey)) if secret.endswith(key.hint[-4:]))


def last_used(secret: str) -> datetime | None:
    return key_of(secret).last_used_at


def test_a_call_without_a_usable_key_is_401(client: FlaskClient, cast: Cast, subtests: pytest.Subtests) -> None:
    key = cast.starlight.key
    for header in [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer pp_unknown",
        f"Basic {key}",
        key,
        f"Bearer {key}x",
        f"Bearer {key[:-1]}",
        f"Bearer {key.upper()}",
        f"Bearer x {key}",
        f"Token {key}",
        f"Bearer {cast.servers['srv-01']}",
        "Bearer é\xff",
        "Bearer " + "x" * 5000,
    ]:
        with subtests.test(header=str(header)[:30]):
            answer = client.get(GAMES, headers={} if header is None else {"Authorization": header})
            message = refused(answer, 401, "unauthorized")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert key not in message


def test_a_key_in_the_address_is_not_looked_at(client: FlaskClient, cast: Cast) -> None:
    refused(client.get(f"{GAMES}?api_key={cast.starlight.key}&access_token={cast.starlight.key}"), 401, "unauthorized")


def test_the_schemes_letters_case_does_not_matter(client: FlaskClient, cast: Cast) -> None:
    body(client.get(GAMES, headers={"Authorization": f"bearer  {cast.starlight.key} "}))


def test_a_revoked_key_stops_at_once(script: Script) -> None:
    body(script.list())
    revoke_key(key_of(script.key), CAST)

    assert "revoked" in refused(script.list(), 401, "unauthorized")


def test_an_expired_key_stops_at_its_moment(script: Script) -> None:
    for moment, status in ((now() + timedelta(minutes=1), 200), (now() - timedelta(seconds=1), 401)):
        with writing() as session:
            session.execute(update(ApiKey).values(expires_at=moment))
            announce(KEYS_TOPIC)
        assert script.list().status_code == status


def test_a_rolled_key_and_the_new_one_work_side_by_side(client: FlaskClient, script: Script) -> None:
    _, secret = roll_key(key_of(script.key), CAST)

    body(script.list())
    body(Script(client, secret).list())


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_does_what_its_scope_says_and_nothing_else(
    client: FlaskClient, script: Script, cast: Cast, subtests: pytest.Subtests, scope: str
) -> None:
    script.register()
    _, secret = create_key(partner_named(cast.starlight.name), "Narrow", [scope], CAST)
    narrow = Script(client, secret)
    calls: dict[str, list[Callable[[], TestResponse]]] = {
        "read": [narrow.list, narrow.read, narrow.sync],
        "write": [narrow.register, narrow.change],
        "upload": [lambda: narrow.send(b"")],
    }
    for needed, doing in calls.items():
        for number, call in enumerate(doing):
            with subtests.test(needed=needed, number=number):
                answer = call()
                if needed == scope:
                    assert answer.status_code not in {401, 403}
                else:
                    assert f"has the scope {scope}; this call needs '{needed}'" in refused(answer, 403, "forbidden")


def test_when_a_key_was_last_used_is_noted_to_the_minute(script: Script) -> None:
    assert last_used(script.key) is None

    body(script.list())
    first = last_used(script.key)
    assert first is not None
    assert now() - first < timedelta(minutes=1)

    body(script.list())
    assert last_used(script.key) == first


def test_a_refused_use_is_no_use(client: FlaskClient, cast: Cast) -> None:
    Script(client, cast.starlight.reader_key).register()

    assert last_used(cast.starlight.reader_key) is None


def test_a_secret_is_stored_nowhere_and_its_hint_tells_which_it_is(app: Flask, script: Script, cast: Cast) -> None:
    script.register({"Idempotency-Key": "once"})
    script.send(b"no archive")
    secrets = [cast.starlight.key, cast.starlight.reader_key, cast.moonbase.key, *cast.servers.values()]

    stored = [
        str(value)
        for table in Base.metadata.sorted_tables
        for row in db.session.execute(select(table))
        for value in row
    ]

    assert stored
    for secret in secrets:
        assert not [value for value in stored if secret in value or secret[4:-4] in value]
    key = key_of(script.key)
    assert key.hint == f"{script.key[:7]}…{script.key[-4:]}"
    assert len(script.key) >= len("pp_") + 32
    assert bearer(script.key)["Authorization"] not in str(stored)
