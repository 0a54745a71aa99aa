"""Sending an archive in parts, as a script does: the API says where, the bytes go straight to storage."""

from __future__ import annotations

from typing import Any

import urllib3
from werkzeug.test import TestResponse

from app.uploads.resumable.archive_check import Outcome, examine
from tests.app.api.calling import Script, body

UPLOADS = "/api/partners/games/paper-lanterns/uploads"
MIB = 1024**2

http = urllib3.PoolManager(retries=False, timeout=30)


class Sender(Script):
    """A script that sends archives in parts."""

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

    def complete(self, upload_id: str, **headers: str) -> TestResponse:
        return self.ask("POST", f"{UPLOADS}/{upload_id}/complete", headers)

    def cancel(self, upload_id: str) -> TestResponse:
        return self.ask("DELETE", f"{UPLOADS}/{upload_id}")

    def uploads(self, **query: str) -> TestResponse:
        return self.ask("GET", UPLOADS, query_string=query)

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


def put_all(sender: Sender, upload: dict[str, Any], archive: bytes) -> None:
    """Send every part, asking for the addresses of those that were not given at once."""
    numbers = range(1, upload["partsCount"] + 1)
    for start in range(0, len(numbers), 100):
        signed = body(sender.sign(upload["id"], *numbers[start : start + 100]))
        put_parts(upload | signed, archive)


def cut(upload: dict[str, Any], archive: bytes, number: int) -> bytes:
    """The bytes of one part."""
    start = (number - 1) * upload["partSize"]
    return archive[start : start + upload["partSize"]]
