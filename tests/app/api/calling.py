"""Calling the partner API as a script does, and looking at answers the way the contract describes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event
from werkzeug.test import TestResponse

from app.data.extensions import db
from tests.conftest import GAME, bearer
from tests.key_checks import is_key_check

GAMES = "/api/partners/games"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Script:
    """Somebody with an API key. Every method answers the raw response."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        self.client = client
        self.key = key

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        return self.client.open(path, method=method, headers=bearer(self.key) | (headers or {}), **more)

    def list(self, headers: dict[str, str] | None = None, **query: str | int) -> TestResponse:
        return self.ask("GET", GAMES, headers, query_string=query)

    def register(self, headers: Any = None, **fields: Any) -> TestResponse:
        """GAME with some fields changed; a field that is `...` is left out."""
        body = {name: value for name, value in (GAME | fields).items() if value is not ...}
        return self.ask("POST", GAMES, headers, json=body)

    def read(self, slug: str = "paper-lanterns", headers: dict[str, str] | None = None) -> TestResponse:
        return self.ask("GET", f"{GAMES}/{slug}", headers)

    def change(self, **fields: Any) -> TestResponse:
        """Of the game that `register` makes. The slug, if given, is part of the body."""
        return self.ask("PATCH", f"{GAMES}/paper-lanterns", json=fields)

    def delete(self, slug: str = "paper-lanterns") -> TestResponse:
        return self.ask("DELETE", f"{GAMES}/{slug}")

    def sync(self, slug: str = "paper-lanterns", headers: dict[str, str] | None = None) -> TestResponse:
        return self.ask("GET", f"{GAMES}/{slug}/sync", headers)

    def send(self, archive: bytes, slug: str = "paper-lanterns", **headers: str) -> TestResponse:
        """An upload; `headers` may say another Content-Type."""
        return self.ask("PUT", f"{GAMES}/{slug}/upload", {"Content-Type": "application/gzip", **headers}, data=archive)


def shape(value: Any) -> Any:
    """What a JSON value is made of: `{"id": "str", "tags": ["str"], "createdAt": "moment", "cachedAt": "null"}`."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        kinds: list[Any] = []
        for item in map(shape, value):
            if item not in kinds:
                kinds.append(item)
        return kinds
    if isinstance(value, str):
        return "moment" if MOMENT.fullmatch(value) else "str"
    return "null" if value is None else type(value).__name__


def body(answer: TestResponse, status: int = 200) -> Any:
    """The JSON of an answer that must have this status."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    return answer.json


def refused(answer: TestResponse, status: int, code: str) -> str:
    """The message of a refusal: exactly two string keys, nothing nested."""
    problem = body(answer, status)
    assert shape(problem) == {"error": "str", "message": "str"}
    assert problem["error"] == code
    message: str = problem["message"]
    assert message
    return message


@contextmanager
def counting(app: Flask) -> Iterator[list[str]]:
    """The SQL statements that were sent within the block."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if not is_key_check(parameters):
            statements.append(statement)

    with app.app_context():
        engine: Engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def report(client: FlaskClient, token: str, sequence: int, builds: list[dict[str, Any]]) -> None:
    """Say as a server's agent what the server holds."""
    answer = client.post(
        "/api/servers/self/reports",
        headers=bearer(token),
        json={
            "bootId": "boot-1",
            "sequence": sequence,
            "health": {
                "status": "ok",
                "containers": 0,
                "cpu_percent": 1.5,
                "memory_percent": 20.0,
                "disk_percent": 30,
            },
            "disk": {"totalBytes": 10**12, "freeBytes": 10**11, "floorBytes": 10**10},
            "builds": builds,
        },
    )
    assert answer.status_code == 200, answer.text
