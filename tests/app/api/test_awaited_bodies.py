"""While the body of a JSON call is awaited, nothing is held that others need; what was true before is asked again."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import QueuePool, func, select, update
from werkzeug.test import TestResponse

from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.partner import ApiKey, SignIn
from app.data.models.server import Server
from app.data.models.upload import Upload
from app.topics.names import KEYS_TOPIC
from tests.app.api.json_calls import JsonCall, fill_partner, json_calls
from tests.filled_tables import Rows


class Awaited(io.BytesIO):
    """A body during whose arrival something happens."""

    def __init__(self, content: bytes, happens: Callable[[], None]) -> None:
        super().__init__(content)
        self.happens = happens

    def read(self, size: int | None = -1, /) -> bytes:
        self.happens()
        return super().read(size)


def send(app: Flask, call: JsonCall, happens: Callable[[], None], body: object = None) -> TestResponse:
    """The answer to a call, in a context of its own, as in a server."""
    content = json.dumps(body or {}).encode()
    client = app.test_client(use_cookies=False)

    def ask() -> TestResponse:
        return client.open(
            call.path,
            method=call.method,
            input_stream=Awaited(content, happens),
            headers=dict(call.headers) | {"Content-Length": str(len(content)), "Content-Type": "application/json"},
        )

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(ask).result(60)


@pytest.fixture
def rows(app: Flask) -> Rows:
    return fill_partner()


@pytest.fixture
def calls(app: Flask, rows: Rows) -> list[JsonCall]:
    """Those that take a body."""
    found = [call for call in json_calls(app, rows) if call.call.body]
    assert len({call.call.api.name for call in found}) == 5, "of each API, and of two at the dashboard"
    return found


def test_no_connection_to_the_database_is_held(app: Flask, calls: list[JsonCall], subtests: pytest.Subtests) -> None:
    pool: Any = db.engine.pool
    assert isinstance(pool, QueuePool)
    for call in calls:
        with subtests.test(call=str(call)):
            db.session.remove()
            held: list[int] = []
            answer = send(app, call, lambda held=held: held.append(pool.checkedout()))  # type: ignore[misc]
            assert held, f"the body was not read: {answer.text}"
            assert set(held) == {0}


def change(statement: Any) -> Callable[[], None]:
    """Something that somebody else does, once."""
    done: list[bool] = []

    def happens() -> None:
        if not done:
            done.append(True)
            with writing() as session:
                session.execute(statement)
                announce(KEYS_TOPIC)

    return happens


def test_a_key_that_was_revoked_meanwhile_does_nothing(app: Flask, rows: Rows, calls: list[JsonCall]) -> None:
    for path in ("/api/partners/games", "/api/v1/games"):
        (call,) = [call for call in calls if (call.path, call.method) == (path, "POST")]
        revoked = update(ApiKey).where(ApiKey.id == rows["api_keys"]["id"])
        answer = send(app, call, change(revoked.values(revoked_at=now())), {"name": "Late"})
        assert answer.status_code == 401, answer.text
        change(revoked.values(revoked_at=None))()
    assert db.session.scalar(select(func.count()).select_from(Game)) == 1


def test_a_key_that_lost_its_scope_meanwhile_does_nothing(app: Flask, rows: Rows, calls: list[JsonCall]) -> None:
    (call,) = [call for call in calls if call.path == "/api/v1/games"]
    narrowed = update(ApiKey).where(ApiKey.id == rows["api_keys"]["id"]).values(scopes=["read"])
    assert send(app, call, change(narrowed), {"name": "Late"}).status_code == 403
    assert db.session.scalar(select(func.count()).select_from(Game)) == 1


def test_a_game_that_was_deleted_meanwhile_is_not_found(
    app: Flask, rows: Rows, calls: list[JsonCall], subtests: pytest.Subtests
) -> None:
    deleted = update(Game).where(Game.id == rows["games"]["id"])
    below = [call for call in calls if rows["games"]["slug"] in call.path or rows["games"]["id"] in call.path]
    assert len(below) > 8
    for call in below:
        with subtests.test(call=str(call)):
            answer = send(app, call, change(deleted.values(deleted_at=now())))
            assert answer.status_code == 404, answer.text
        change(deleted.values(deleted_at=None))()


def test_a_server_that_was_retired_and_a_member_who_was_signed_out_meanwhile_are_not_known(
    app: Flask, rows: Rows, calls: list[JsonCall], subtests: pytest.Subtests
) -> None:
    retired = update(Server).where(Server.id == rows["servers"]["id"]).values(retired_at=now())
    signed_out = update(SignIn).where(SignIn.member_id == rows["members"]["id"]).values(ended_at=now())
    for security, happens, api in (("serverToken", retired, "/api/servers"), ("", signed_out, "/games")):
        call = next(call for call in calls if call.call.security == security)
        with subtests.test(call=str(call)):
            assert call.path.startswith(api)
            assert send(app, call, change(happens)).status_code == 401
    assert db.session.scalar(select(func.count()).select_from(Upload)) == 1
