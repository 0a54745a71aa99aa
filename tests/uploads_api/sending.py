"""Sending an archive in parts, as a script does: the API says where, the bytes go straight to storage."""

from __future__ import annotations

from typing import Any

import urllib3
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.uploads.claims import due_checks
from app.uploads.examining import Outcome, examine
from tests.api.calling import Script, body
from tests.conftest import GAME

UPLOADS = "/api/partners/games/paper-lanterns/uploads"
MIB = 1024**2

http = urllib3.PoolManager(retries=False, timeout=30)


class Sender(Script):
    """A script that sends archives in parts."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        super().__init__(client, key)

    def begin(self, archive: bytes, file_name: str = "lanterns.tar.gz", **fields: Any) -> TestResponse:
        return self.ask("POST", UPLOADS, json={"fileName": file_name, "size": len(archive), **fields})

    def begun(self, archive: bytes, **fields: Any) -> dict[str, Any]:
        found: dict[str, Any] = body(self.begin(archive, **fields), 201)
        return found

    def look(self, upload_id: str) -> TestResponse:
        return self.ask("GET", f"{UPLOADS}/{upload_id}")

    def state(self, upload_id: str) -> dict[str, Any]:
        found: dict[str, Any] = body(self.look(upload_id))
        return found

    def sign(self, upload_id: str, *numbers: int) -> TestResponse:
        return self.ask("POST", f"{UPLOADS}/{upload_id}/parts", json={"partNumbers": list(numbers)})

    def complete(self, upload_id: str) -> TestResponse:
        return self.ask("POST", f"{UPLOADS}/{upload_id}/complete")

    def cancel(self, upload_id: str) -> TestResponse:
        return self.ask("DELETE", f"{UPLOADS}/{upload_id}")

    def sent(self, archive: bytes, **fields: Any) -> str:
        """Begin, send every part and complete; the id."""
        upload = self.begun(archive, **fields)
        put_parts(upload, archive)
        body(self.complete(upload["id"]))
        return str(upload["id"])

    def published(self, archive: bytes, **fields: Any) -> dict[str, Any]:
        """Send an archive and have it checked; the upload as it is then."""
        upload_id = self.sent(archive, **fields)
        assert examine(upload_id) in {Outcome.DONE, Outcome.FAILED}
        return self.state(upload_id)


def put(url: str, data: bytes) -> int:
    """One PUT to storage; the status."""
    return http.request("PUT", url, body=data).status


def put_parts(upload: dict[str, Any], archive: bytes, *only: int) -> None:
    """Send the parts whose addresses the upload names, or some of them."""
    for part in upload["urls"]:
        if not only or part["partNumber"] in only:
            assert put(part["url"], cut(upload, archive, part["partNumber"])) == 200


def cut(upload: dict[str, Any], archive: bytes, number: int) -> bytes:
    """The bytes of one part."""
    start = (number - 1) * upload["partSize"]
    return archive[start : start + upload["partSize"]]


def check_everything(app: Flask) -> None:
    """What the workers do: check whatever is due."""
    for upload_id in due_checks():
        examine(upload_id)


__all__ = ["GAME", "MIB", "UPLOADS", "Sender", "check_everything", "cut", "put", "put_parts"]
