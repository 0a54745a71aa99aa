"""Every JSON call there is, of the APIs and of the dashboard, with a path to something real and the headers of somebody
who may call it. Read from the app's map: a new call is tried without being named anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Flask

from app.accounts.secrets import fingerprint
from app.api.pipeline import Call, declared_call
from app.data.database import writing
from app.data.models.base import Base
from app.data.models.upload import RESUMABLE
from tests.app.api.test_strangers import OWNED
from tests.conftest import bearer
from tests.filled_tables import Rows, fill_tables
from tests.signed_in_browsers import begin_session

MARKER = "starlight"
UNLIMITED = {
    f"SLIPWAY_{name}_RATE": "100000 per minute"
    for name in ("PRESIGN", "CONFIRM", "NEW_GAME", "COMPONENT", "COMPONENT_BATCH", "LIST", "PARTS")
}


@dataclass(frozen=True)
class JsonCall:
    """One method of one route. `headers` are those of somebody who may call it."""

    method: str
    path: str
    call: Call
    headers: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def fill_partner(marker: str = MARKER) -> Rows:
    """A partner with a row in every table, a key `pp_<marker>` and a server's token `srv_<marker>`."""
    values = {
        "api_keys.secret_hash": fingerprint(f"pp_{marker}"),
        "api_keys.scopes": ["read", "write", "upload"],
        "servers.token_hash": fingerprint(f"srv_{marker}"),
        "builds.sha256": "b" * 64,
        "games.next_build_number": 1_000_000,  # the rows' own builds have smaller numbers
        "uploads.door": RESUMABLE,
        "uploads.state": "uploading",
        "uploads.size": 1,
        "uploads.part_size": 5 * 1024**2,
        "play_sessions.ended_at": None,
        "apps.name": "Dashboard",
        "blobs.mime_type": "image/png",
        "blobs.state": "stored",
        "blobs.object_key": f"uploads/sh/sha256-{'A' * 43}.{marker}",
        "components.kind": "deck",
    }
    with writing() as session:
        return fill_tables(session.connection(), Base.metadata, marker, values)


def json_calls(app: Flask, rows: Rows, marker: str = MARKER) -> list[JsonCall]:
    """Each declared call of the app's map, in its order."""
    session = session_headers(app, rows["members"]["id"])
    by_security = {"partnerKey": bearer(f"pp_{marker}"), "serverToken": bearer(f"srv_{marker}"), "": session}
    return [
        JsonCall(method, path_of(rule.rule, rows), call, by_security[call.security])
        for rule in sorted(app.url_map.iter_rules(), key=str)
        if (call := declared_call(app.view_functions[rule.endpoint]))
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"})
    ]


def path_of(rule: str, rows: Rows) -> str:
    """The path of a route to what the partner has."""

    def value(found: re.Match[str]) -> str:
        table, column = OWNED.get(found[1], ("builds", "number"))
        return str(rows[table][column])

    return re.sub(r"<(?:\w+:)?(\w+)>", value, rule)


def session_headers(app: Flask, member_id: str) -> dict[str, str]:
    """What the browser of a signed-in member sends: its cookies, and the token of its page."""
    client = app.test_client()
    token = begin_session(app, client, member_id)
    cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert cookie is not None
    return {"Cookie": f"{cookie.key}={cookie.value}", "X-CSRFToken": token}
