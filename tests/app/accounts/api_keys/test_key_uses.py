"""When keys were last used: to the minute, and the uses of many keys in one write."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event, select, update

from app.accounts import keys
from app.accounts.api_keys import key_uses
from app.accounts.api_keys.key_uses import KeyUses
from app.accounts.partners import partner_named
from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.partner import ApiKey
from app.runtime.jobs import jobs
from tests.conftest import CAST, Cast


@pytest.fixture
def made(app: Flask, cast: Cast) -> list[str]:
    """The ids of five keys that were never used."""
    partner = partner_named(cast.starlight.name)
    return [keys.create_key(partner, "Pipeline", ["read"], CAST)[0].id for _ in range(5)]


def stored(key_id: str) -> datetime | None:
    db.session.rollback()
    return db.session.scalar(select(ApiKey.last_used_at).where(ApiKey.id == key_id))


def write_later_uses(uses: KeyUses, monkeypatch: pytest.MonkeyPatch, later: timedelta) -> None:
    monkeypatch.setattr(key_uses, "now", lambda: now() + later)
    uses._write_at = 0


def test_a_use_is_stored_to_the_minute(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    uses, key = KeyUses(), made[0]
    uses.record(key)
    first = stored(key)
    assert first is not None

    write_later_uses(uses, monkeypatch, timedelta(seconds=50))
    uses.record(key)
    assert stored(key) == first

    write_later_uses(uses, monkeypatch, timedelta(seconds=61))
    uses.record(key)
    assert (stored(key) or first) - first > timedelta(minutes=1)


def test_the_uses_of_many_keys_are_one_write(made: list[str]) -> None:
    uses = KeyUses()
    uses.record(made[0])
    begun: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *a: begun.append(a[2]))

    for key in made[1:]:
        uses.record(key)
    assert begun == []
    uses.write()

    assert [text for text in begun if text.startswith("UPDATE")] == [text for text in begun if "api_keys" in text]
    assert len([text for text in begun if text.startswith("UPDATE")]) == 1
    assert None not in [stored(key) for key in made]


def test_an_older_use_never_replaces_a_later_one(made: list[str]) -> None:
    uses, later = KeyUses(), now() + timedelta(seconds=30)
    with writing() as session:
        session.execute(update(ApiKey).values(last_used_at=later))

    uses.record(made[0])

    assert stored(made[0]) == later


def test_the_sweep_writes_the_use_of_a_key_that_is_not_used_again(app: Flask, made: list[str]) -> None:
    uses = key_uses.key_uses()
    for key in made[:2]:
        uses.record(key)
    assert stored(made[1]) is None

    jobs(app)._sweep_and_log()

    assert stored(made[1]) is not None
