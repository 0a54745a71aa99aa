"""Who gets into the operator area: operators, and nobody else, whatever the route."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.partner import Member, Partner
from app.data.models.server import Server
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.conftest import Cast

pytestmark = ONE_DATABASE


def routes(app: Flask, method: str) -> Iterator[str]:
    """Every address of the area, with things in it that exist."""
    partner_id = db.session.scalars(select(Partner.id)).first()
    member_id = db.session.scalars(select(Member.id).where(Member.partner_id == partner_id)).first()
    values = {"server_id": "srv-01", "partner_id": partner_id, "member_id": member_id, "build_id": "build_x"}
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/operator") and method in (rule.methods or ()):
            yield adapter.build(rule.endpoint, {name: values[name] for name in rule.arguments}, method)


@pytest.mark.parametrize("role", ["owner", "developer", "viewer"])
def test_members_of_partners_are_told_whose_pages_these_are(
    app: Flask, cast: Cast, signed_in: Callable[[str], Visitor], role: str
) -> None:
    visitor = signed_in(getattr(cast.starlight, role))
    paths = list(routes(app, "GET"))
    assert len(paths) >= 16
    for path in paths:
        answer = visitor.get(path)
        assert answer.status_code == 403, path
        assert f"Your role is {role}" in answer.text
        assert "srv-01" not in answer.text.replace(path, "")


def test_members_of_partners_change_nothing(app: Flask, cast: Cast, owner: Visitor) -> None:
    before = _state()
    paths = list(routes(app, "POST"))
    assert len(paths) >= 7
    for path in paths:
        form = {"downloads": "pause", "name": "X", "email": "x@x.example", "id": "srv-09", "quota": "1"}
        assert owner.post(path, form).status_code == 403, path
    assert _state() == before


def test_who_is_not_signed_in_is_asked_to(app: Flask, cast: Cast, visitor: Visitor) -> None:
    for path in routes(app, "GET"):
        answer = visitor.get(path)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/sign-in?next=/operator/")
        assert visitor.get(path, headers=HTMX).status_code == 401
    for path in routes(app, "POST"):
        assert visitor.post(path).status_code == 302, path


def test_operators_find_their_way(cast: Cast, signed_in: Callable[[str], Visitor]) -> None:
    operator = signed_in(cast.operator)
    assert operator.get("/servers").location == "/operator/servers"
    page = operator.get("/operator/storage").text
    for name, path in (("Servers", "servers"), ("Partners", "partners"), ("Audit", "audit")):
        assert f'<a href="/operator/{path}">{name}</a>' in page
    assert '<a href="/operator/storage" aria-current="page">Storage</a>' in page
    for path in ("/operator/servers", "/operator/partners", "/operator/audit", "/operator/add-server"):
        assert operator.get(path).status_code == 200


def test_forms_need_their_token(app: Flask, cast: Cast, signed_in: Callable[[str], Visitor]) -> None:
    operator, before = signed_in(cast.operator), _state()
    for path in routes(app, "POST"):
        assert operator.post(path, {"downloads": "pause"}, token=False).status_code == 400, path
    assert _state() == before


def _state() -> tuple[object, ...]:
    """What any of the forms would change."""
    db.session.rollback()
    servers = select(Server.id, Server.token_hash, Server.paused_at, Server.retired_at).order_by(Server.id)
    partners = select(Partner.name, Partner.build_quota_bytes).order_by(Partner.name)
    return (
        [tuple(row) for row in db.session.execute(servers)],
        [tuple(row) for row in db.session.execute(partners)],
        db.session.scalar(select(func.count()).select_from(AuditEntry)),
    )
