"""The access log: one JSON object per request, without secrets."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.runtime.web_server.access_log import access_line


def line(path: str, **more: Any) -> dict[str, str]:
    environ = {"REMOTE_ADDR": "192.0.2.1", "REQUEST_METHOD": "GET", "PATH_INFO": path} | more
    headers = [("Content-Type", "text/html"), ("X-Request-Id", "build-42")]
    text = access_line("200 OK", headers, 1234, environ, timedelta(milliseconds=15, microseconds=900))
    assert text.endswith("}\n")
    assert text.count("\n") == 1
    found: dict[str, str] = json.loads(text)
    return found


def test_a_line_has_the_fields_of_every_other_line() -> None:
    found = line("/games")

    assert found["message"] == "192.0.2.1 GET /games 200 1234 bytes 15 ms build-42"
    assert (found["levelname"], found["name"]) == ("INFO", "gunicorn.access")
    assert datetime.fromisoformat(found["timestamp"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize("path", ["/invitations/secret-word", "/new-password/secret-word", "/games?key=secret-word"])
def test_a_secret_in_an_address_is_left_out(path: str) -> None:
    found = line(path, QUERY_STRING="token=secret-word", HTTP_AUTHORIZATION="Bearer secret-word")

    assert "secret-word" not in json.dumps(found)


def test_a_path_cannot_begin_a_second_line_or_break_the_object() -> None:
    assert '/a"b\n{"levelname"' in line('/a"b\n{"levelname"')["message"]


def test_a_request_without_an_answer_of_the_app_has_no_id() -> None:
    text = access_line(408, [], 0, {}, timedelta())

    assert json.loads(text)["message"] == "- None  408 0 bytes 0 ms -"
