"""What is logged: one JSON object a line, with the request's id, and never a secret."""

from __future__ import annotations

import json
import logging

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pythonjsonlogger.json import JsonFormatter

from app.process import logs
from tests.app.api.calling import GAMES, Script
from tests.conftest import PASSWORD, Cast
from tests.game_archives import game_archive


def handler() -> logging.Handler:
    (found,) = [h for h in logging.getLogger().handlers if isinstance(h.formatter, JsonFormatter)]
    return found


def written(message: str, *values: object) -> dict[str, object]:
    """A message as it stands in the log."""
    record = logging.LogRecord("app.test", logging.WARNING, __file__, 1, message, values, None)
    handler().filter(record)
    found: dict[str, object] = json.loads(handler().format(record))
    return found


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_line_is_one_json_object_with_the_id_of_its_request(app: Flask) -> None:
    with app.test_request_context(headers={"X-Request-Id": "build-42"}):
        line = written("something\nhappened to %s", "game")

    assert line["message"] == "something\nhappened to game"
    assert (line["levelname"], line["name"], line["request_id"]) == ("WARNING", "app.test", "build-42")
    assert "request_id" not in written("outside of a request")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_second_app_logs_nothing_twice(app: Flask) -> None:
    logs.init_app(app)

    handler()


def test_nothing_secret_is_logged(
    client: FlaskClient, cast: Cast, caplog: pytest.LogCaptureFixture, app: Flask
) -> None:
    script = Script(client, cast.starlight.key)
    agent = Script(client, cast.servers["srv-01"])
    with caplog.at_level(logging.INFO):
        script.register({"Idempotency-Key": "once"})
        script.send(game_archive())
        script.send(b"no archive")
        plan = agent.ask("GET", "/api/servers/self/plan")
        Script(client, "pp_unknown-key").list()
        client.get(f"{GAMES}?token={cast.starlight.key}")
        client.post("/sign-in", data={"email": cast.starlight.owner, "password": PASSWORD})
        app.extensions["slipway_bucket"].name = "never-made"
        script.send(game_archive(seed=2))

    assert plan.json is not None
    signed = plan.json["builds"][0]["archiveUrl"]
    storage = app.config["SLIPWAY"].storage_settings
    assert caplog.records
    for secret in (script.key, agent.key, "pp_unknown-key", PASSWORD, "X-Amz-Signature", signed, storage.secret_key):
        assert secret not in caplog.text
