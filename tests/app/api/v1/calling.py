"""Calling /api/v1 as a script does: the four steps of an upload, and what answers look like."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import urllib3
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.app.images.images import checksum
from tests.conftest import bearer

GAMES = "/api/v1/games"
KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp", b"GIF8": "image/gif"}


class Studio:
    """An app with a key, working on one game. Every method answers the raw response."""

    def __init__(self, client: FlaskClient, key: str, game_id: str = "") -> None:
        self.client = client
        self.key = key
        self.game_id = game_id

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        return self.client.open(path, method=method, headers=bearer(self.key) | (headers or {}), **more)

    def at(self, method: str, path: str, **more: Any) -> TestResponse:
        """A call below the game."""
        return self.ask(method, f"{GAMES}/{self.game_id}{path}", **more)

    def new_game(self, name: str = "Paper Lanterns") -> str:
        self.game_id = answered(self.ask("POST", GAMES, json={"name": name}), 201)["id"]
        return self.game_id

    def presign(self, data: bytes, **changed: Any) -> TestResponse:
        return self.at("POST", "/assets/presign", json=announced(data) | changed)

    def confirm(self, presigned: dict[str, Any], data: bytes, **changed: Any) -> TestResponse:
        body = {
            "key": presigned["key"],
            "publicUrl": presigned["publicUrl"],
            "byteSize": len(data),
            "contentType": presigned["contentType"],
        }
        return self.at("POST", "/assets/upload-complete", json=body | changed)

    def upload(self, data: bytes, **changed: Any) -> dict[str, Any]:
        """Presign, PUT and confirm; answers what presign did."""
        presigned: dict[str, Any] = answered(self.presign(data, **changed))
        stored = put(presigned["signedUrl"], data, presigned["contentType"])
        assert stored == 200
        assert answered(self.confirm(presigned, data)) == {"ok": True}
        return presigned

    def assets(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = answered(self.at("GET", "/assets"))["assets"]
        return found


def announced(data: bytes) -> dict[str, Any]:
    """The body of a presign for these bytes."""
    kind = next((kind for magic, kind in KINDS.items() if data.startswith(magic)), "image/png")
    return {"fileName": "card.png", "contentType": kind, "byteSize": len(data), "checksum": checksum(data)}


def put(url: str, data: bytes, content_type: str) -> int:
    """PUT to a presigned URL, as anybody with it may; answers the status."""
    return urllib3.request("PUT", url, body=data, headers={"Content-Type": content_type}, retries=False).status


def put_raw(url: str, data: bytes, headers: dict[str, str]) -> int:
    """PUT with exactly these headers, whatever they claim."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.putrequest("PUT", f"{parts.path}?{parts.query}", skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(data)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def answered(answer: TestResponse, status: int = 200) -> Any:
    """The JSON of an answer that must have this status."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    return answer.json


def refused(answer: TestResponse, status: int, code: str) -> str:
    """The message of a refusal in the nested envelope, with no further keys."""
    problem = answered(answer, status)
    assert list(problem) == ["error"]
    assert set(problem["error"]) == {"code", "message"}
    assert problem["error"]["code"] == code, problem
    message: str = problem["error"]["message"]
    assert message
    return message
