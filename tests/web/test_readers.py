"""A live stream ends with its reader: signed out everywhere, with another password, or no member any more."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.models import Member, Partner
from app.partners.members import remove_member
from app.partners.passwords import change_password
from app.partners.sign_ins import begin_sign_in, sign_out_everywhere
from app.web import live, readers
from app.web.readers import Door, Reader
from tests.conftest import CAST, PASSWORD, Cast
from tests.fleet.counting import statements
from tests.running.processes import wait_until
from tests.web.conftest import ONE_DATABASE, Visitor

pytestmark = ONE_DATABASE

Ending = Callable[[Member], None]


def removed(member: Member) -> None:
    remove_member(db.session.get_one(Partner, member.partner_id), member.id, CAST)


ENDINGS: list[Ending] = [
    removed,
    lambda member: sign_out_everywhere(member, CAST),
    lambda member: change_password(member, PASSWORD, "another battery horse", CAST),
]


def member_with(email: str) -> Member:
    return db.session.scalars(select(Member).where(Member.email == email)).one()


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (live, readers):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)


@pytest.mark.parametrize("end", ENDINGS, ids=["removed", "signed out everywhere", "another password"])
def test_whoever_is_out_hears_nothing_more(
    cast: Cast, signed_in: Callable[[str], Visitor], looking_often: None, end: Ending
) -> None:
    answer = signed_in(cast.moonbase.viewer).get("/catalog/live", buffered=False)
    leaves = iter(answer.iter_encoded())
    assert b"beat" in next(leaves)
    assert b"event: live" in next(leaves)
    end(member_with(cast.moonbase.viewer))
    assert list(leaves) == []
    answer.close()


def test_one_query_looks_at_every_stream(app: Flask, cast: Cast) -> None:
    door = Door(app)
    everybody = [begin_sign_in(member, None, "Firefox")[0].id for member in db.session.scalars(select(Member)).all()]
    for sign_in_id in everybody:
        door.enter(sign_in_id)
    with statements() as sent:
        assert all(door.admits(sign_in_id) for sign_in_id in everybody)
    assert sent.queries == 1


def test_a_closed_connection_is_noticed_without_a_write(
    app: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "LOOK_SECONDS", 0.2)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = Reader(Door(app), begin_sign_in(member_with(cast.starlight.owner), None, "Firefox")[0].id, ours)
        assert reader.stays()
        theirs.close()
        wait_until(lambda: not reader.stays(), 5, "it is noticed at the next look")
