"""No stranger sees or touches anything of another partner: every route there is, tried as everybody it is not for.

Two partners own a row in every table (tests/filled_tables.py), and each of their texts contains their name. A route is
asked for Starlight's things by people and keys of Moonbase, by nobody, by a server, and, where it changes something, by
those of Starlight who may only look. Nothing of Starlight may be in an answer or changed in the database.

A new route is tried without being named here. It fails here when it takes an argument nobody has said the owner of
(OWNED, NOBODYS), or when it answers people who are not signed in (OPEN).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Table, insert, select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.accounts.secrets import fingerprint
from app.api.pipeline import declared_call
from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import Base, now
from app.data.models.partner import ApiKey, Member
from tests.conftest import bearer
from tests.filled_tables import Rows, fill_tables
from tests.signed_in_browsers import begin_session

STARLIGHT, MOONBASE = "starlight", "moonbase"

# Arguments of routes that name something of a partner, and where it is.
OWNED = {
    "slug": ("games", "slug"),
    "partner_id": ("partners", "id"),
    "game_id": ("games", "id"),
    "build_id": ("builds", "id"),
    "member_id": ("members", "id"),
    "invitation_id": ("invitations", "id"),
    "sign_in_id": ("sign_ins", "id"),
    "app_id": ("apps", "id"),
    "key_id": ("api_keys", "id"),
    "upload_id": ("uploads", "id"),
    "entry_id": ("audit_entries", "id"),
    "asset_id": ("assets", "id"),
    "component_id": ("components", "id"),
    "session_id": ("play_sessions", "id"),
}
# Arguments that belong to nobody: numbers within something owned, names of files, and secrets whose holder may.
NOBODYS = {
    "number": 7,
    "server_id": "moonbase-servers-id",
    "side_key": "front",
    "filename": "nothing.css",
    "file": "nothing.css",
    "name": "nothing",
    "secret": "inv_unknown",
}
# What anybody may ask for, because it holds nothing of a partner.
OPEN = {
    "openapi.document",
    "health.healthz",
    "health.livez",
    "health.readyz",
    "health.program_version",
    "metrics.metrics",  # for programs on this machine, and those with the token: tests/app/monitoring
    "sign_in.form",
    "sign_in.enter",
    "sign_in.leave",
    "theme.choose",
    "reference.page",
}
# Servers are the operator's, and every partner sees where builds go.
EVERYBODYS = {"servers.id", "servers.region"} | {
    f"{table}.server_id" for table in ("replicas", "play_sessions", "transfer_minutes")
}
ONES_OWN = "/profile/"  # name, password and sessions, which a viewer may change as well
# What forms ask for: it must not be a missing field that refuses a stranger. A number counts once
# (app/web/frame/forms.py).
FORM = {
    "role": "viewer",
    "name": "Changed",
    "title": "Changed",
    "slug": "changed",
    "developer": "Changed",
    "description": "Changed",
    "tags": "Changed",
    "launcher": "changed.sh",
    "renpy_dir": "Changed",
    "email": "changed@moonbase.example",
    "scopes": "read",
    "typed": "starlight-games-slug",
}
_numbers = itertools.count(1)
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
REFUSED = {401, 403, 404}


@dataclass(frozen=True)
class Visitor:
    """Somebody who asks, and on which kinds of routes they are known at all."""

    name: str
    knows: frozenset[str]  # "partner", "server", "page"
    headers: dict[str, str] = field(default_factory=dict)
    member: str | None = None
    only_looks: bool = False  # of Starlight, but without the right to change anything
    browsers: list[tuple[FlaskClient, str]] = field(default_factory=list)  # of a member: the client, its CSRF token


@dataclass(frozen=True)
class World:
    starlight: Rows
    moonbase: Rows
    visitors: list[Visitor]
    secrets: set[str]  # every text of Starlight's that is stored


@pytest.fixture
def world(app: Flask) -> World:
    rows = {}
    with writing() as session:
        for marker in (STARLIGHT, MOONBASE):
            values = {
                "api_keys.secret_hash": fingerprint(f"pp_{marker}"),
                "api_keys.scopes": ["read", "write", "upload"],
                "servers.token_hash": fingerprint(f"srv_{marker}"),
                "members.id": f"{marker}-owner",
                "sign_ins.last_seen_at": now(),
                "replica_attempts.reason": f"{marker}-attempt-reason",
            }
            rows[marker] = fill_tables(session.connection(), Base.metadata, marker, values)
        for marker in (STARLIGHT, MOONBASE):
            viewer = {"id": f"{marker}-viewer", "email": f"viewer@{marker}", "role": "viewer"}
            reader = {"id": f"{marker}-reader", "secret_hash": fingerprint(f"pp_{marker}_reader"), "scopes": ["read"]}
            session.execute(insert(Member).values(rows[marker]["members"] | viewer))
            session.execute(insert(ApiKey).values(rows[marker]["api_keys"] | reader))
    return World(rows[STARLIGHT], rows[MOONBASE], _visitors(), _texts())


def _visitors() -> list[Visitor]:
    partner, server, page = frozenset({"partner"}), frozenset({"server"}), frozenset({"page"})
    return [
        Visitor("nobody", frozenset()),
        Visitor("an unknown key", frozenset(), bearer("pp_unknown")),
        Visitor("another partner's key", partner, bearer("pp_moonbase")),
        Visitor("another partner's owner", page, member=f"{MOONBASE}-owner"),
        Visitor("another partner's viewer", page, member=f"{MOONBASE}-viewer"),
        Visitor("a server", server, bearer("srv_moonbase")),
        Visitor("a key that may only read", partner, bearer("pp_starlight_reader"), only_looks=True),
        Visitor("a viewer", page, member=f"{STARLIGHT}-viewer", only_looks=True),
    ]


def kind_of(rule: Rule, app: Flask) -> str:
    """Who is known on this route: partners' keys, servers, or people who are signed in."""
    if not rule.rule.startswith("/api/"):
        return "page"
    call = declared_call(app.view_functions[rule.endpoint])
    if call is None:
        assert rule.endpoint in OPEN, f"{rule.rule} is no declared call: who may call it? See app/api/pipeline.py"
        return "nobody"
    return "server" if call.security == "serverToken" else "partner"


def arguments(rule: Rule, world: World, only_looks: bool) -> Iterator[dict[str, Any]]:
    """Every mixture of Starlight's and the visitor's own things in which something is Starlight's."""
    owned = sorted(rule.arguments & OWNED.keys())
    rest = {name: NOBODYS[name] for name in rule.arguments & NOBODYS.keys()}
    sides = [world.starlight] if only_looks else [world.starlight, world.moonbase]
    for chosen in itertools.product(sides, repeat=len(owned)):
        if owned and world.starlight not in chosen:
            continue
        yield rest | {name: rows[OWNED[name][0]][OWNED[name][1]] for name, rows in zip(owned, chosen, strict=True)}


def ask(app: Flask, visitor: Visitor, method: str, path: str, kind: str) -> tuple[int, str, str]:
    """Status, all text of the answer, and where it sends the visitor. Of a stream, its beginning."""
    answer = _ask(app, visitor, method, path, kind)
    if visitor.browsers and (answer[0] == 401 or answer[2].startswith("/sign-in")):
        visitor.browsers.clear()  # an earlier request may have signed this browser out
        answer = _ask(app, visitor, method, path, kind)
    return answer


def _ask(app: Flask, visitor: Visitor, method: str, path: str, kind: str) -> tuple[int, str, str]:
    client = app.test_client()
    headers = dict(visitor.headers)
    if visitor.member:
        if not visitor.browsers:
            visitor.browsers.append((client, begin_session(app, client, visitor.member)))
        client, headers["X-CSRFToken"] = visitor.browsers[0]
    elif kind == "page":
        headers["X-CSRFToken"] = begin_session(app, client, None)
    if path.endswith("/upload"):
        headers["Content-Type"] = "application/gzip"
    body: dict[str, Any] = {}
    if "Content-Type" in headers:
        body = {"data": b"\x1f\x8b"}
    elif method in CHANGING:
        body = {"data": FORM | {"number": str(next(_numbers))}} if kind == "page" else {"json": {}}
    answer = client.open(path, method=method, headers=headers, **body)
    text = _read(answer)
    answer.close()
    return answer.status_code, f"{answer.headers}{text}", answer.headers.get("Location", "")


def _read(answer: TestResponse) -> str:
    if answer.mimetype == "text/event-stream":
        return b"".join(itertools.islice(answer.iter_encoded(), 2)).decode()
    return answer.get_data(as_text=True)


def _texts() -> set[str]:
    """Every stored text that is Starlight's alone, also inside JSON."""
    found: set[str] = set()
    for table in Base.metadata.sorted_tables:
        secret = [column for column in table.columns if f"{table.name}.{column.name}" not in EVERYBODYS]
        for row in db.session.execute(select(*secret)):
            for value in row:
                for text in value if isinstance(value, list) else [value]:
                    if isinstance(text, str) and STARLIGHT in text:
                        found.add(text)
    db.session.rollback()
    return found


def rows_of_starlight() -> dict[str, list[str]]:
    """Every row that mentions Starlight, without when somebody was last there."""
    found = {}
    for table in Base.metadata.sorted_tables:
        rows = [repr(row) for row in db.session.execute(select(*_lasting(table)))]
        if table.name == "sign_ins":  # those of the visitors come and go
            rows = [row for row in rows if f"{STARLIGHT}-sign-ins" in row]
        found[table.name] = sorted(row for row in rows if STARLIGHT in row)
    db.session.rollback()
    return found


def _lasting(table: Table) -> list[Any]:
    passing = {"last_used_at", "last_seen_at", "last_signed_in_at"}
    return [column for column in table.columns if column.name not in passing]


# Who owns what is asked in the same words of either database, and this asks fifteen hundred times.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.slow
def test_no_stranger_sees_or_touches_anything_of_another_partner(
    app: Flask, world: World, subtests: pytest.Subtests
) -> None:
    check_that_visitors_are_known(app, world)
    before = rows_of_starlight()
    assert all(before[name] for name in Base.metadata.tables if name not in {"alembic_version"})
    tried = 0
    for rule in sorted(app.url_map.iter_rules(), key=str):
        kind = kind_of(rule, app)
        with subtests.test(rule=rule.rule):
            unknown = rule.arguments - OWNED.keys() - NOBODYS.keys()
            assert not unknown, (
                f"{rule.rule}: whose is {unknown}? Say so in OWNED or NOBODYS of tests/app/api/test_strangers.py"
            )
        if unknown:
            continue
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            with subtests.test(call=f"{method} {rule.rule}"):
                for visitor in world.visitors:
                    if visitor.only_looks and (method not in CHANGING or rule.rule.startswith(ONES_OWN)):
                        continue
                    for chosen in arguments(rule, world, visitor.only_looks):
                        tried += 1
                        _try(app, world, rule, kind, method, visitor, chosen)
        assert rows_of_starlight() == before, f"{rule.methods} {rule.rule} changed what is Starlight's"
    assert tried > 100
    check_that_visitors_are_known(app, world)


def _try(
    app: Flask, world: World, rule: Rule, kind: str, method: str, visitor: Visitor, chosen: dict[str, Any]
) -> None:
    with app.test_request_context():
        path = app.url_for(rule.endpoint, **chosen)
    status, said, sent_to = ask(app, visitor, method, path, kind)
    to = f"{visitor.name}, at {path}: {status}"

    unasked = functools.reduce(lambda text, asked: text.replace(str(asked), ""), chosen.values(), said)
    told = [text for text in world.secrets if text in unasked]
    if not visitor.only_looks:  # they may see it, and a refusal may show it to them
        assert not told, f"{to}: {told}"
    if rule.endpoint in OPEN:
        return
    assert status < 500, f"{to} {said}"
    about_starlight = bool(rule.arguments & OWNED.keys())
    if kind in visitor.knows and not about_starlight:
        return  # their own affairs, whatever the answer; that nothing of Starlight's changes is seen above
    asked_to_sign_in = kind == "page" and "page" not in visitor.knows and sent_to.startswith("/sign-in")
    assert status in REFUSED or asked_to_sign_in, f"{to} {said}"


def check_that_visitors_are_known(app: Flask, world: World) -> None:
    """What is refused above is found where it is the visitor's own: otherwise nothing above could fail."""
    visitors = {visitor.name: visitor for visitor in world.visitors}
    slug = world.moonbase["games"]["slug"]
    for name, path, kind in (
        ("another partner's key", f"/api/partners/games/{slug}", "partner"),
        ("another partner's owner", f"/games/{slug}", "page"),
        ("another partner's viewer", f"/games/{slug}", "page"),
    ):
        status, said, _ = ask(app, visitors[name], "GET", path, kind)
        assert status == 200, name
        assert "moonbase-games-title" in said
    assert ask(app, visitors["a server"], "GET", "/api/servers/self/plan", "server")[0] == 200
    assert ask(app, visitors["a key that may only read"], "GET", "/api/partners/games", "partner")[0] == 200
    assert ask(app, visitors["a viewer"], "GET", "/games", "page")[0] == 200
