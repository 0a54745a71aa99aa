"""Prepared reads: the same rows and types as a session's, on both databases, and its errors."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import bindparam, event, select, text

from app.data.database import DatabaseError, writing
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.partner import ApiKey
from app.data.models.server import Replica, Server
from app.data.prepared_reads import PreparedRead
from tests.app.fleet.acting import new_build, new_game
from tests.conftest import Cast


def as_tuple(*columns: Any) -> tuple[Any, ...]:
    return columns


@pytest.mark.parametrize("entity", [Game, Replica, Server, ApiKey])
def test_rows_have_the_types_of_their_columns(cast: Cast, entity: Any) -> None:
    """Times, JSON, booleans and missing values, of every column of four tables."""
    new_build(new_game(cast.starlight.partner_id))
    statement = select(*entity.__table__.columns).order_by(*entity.__table__.primary_key.columns)
    wanted = [tuple(row) for row in db.session.execute(statement)]
    db.session.rollback()

    assert PreparedRead(statement, as_tuple).all() == wanted
    assert PreparedRead(statement, as_tuple).first() == wanted[0]


def test_values_are_parameters(cast: Cast) -> None:
    read = PreparedRead(select(Server.id).where(Server.id == bindparam("id"), Server.region == "fra"), str)

    assert [read.first(id=name) for name in ("srv-02", "srv-09", "' OR 1=1 --")] == ["srv-02", None, None]


def test_a_value_may_be_missing(cast: Cast) -> None:
    assert PreparedRead(select(Server.id).where(Server.id == bindparam("id")), str).all(id=None) == []


def test_the_newest_state_is_read_and_no_connection_is_kept(cast: Cast) -> None:
    read = PreparedRead(select(Server.region).where(Server.id == bindparam("id")), str)
    assert read.first(id="srv-01") == "fra"

    db.session.get_one(Server, "srv-01").region = "ams"
    db.session.commit()

    assert read.first(id="srv-01") == "ams"
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # QueuePool has it


def test_inside_a_write_transaction_it_reads_what_that_has_written(cast: Cast) -> None:
    read = PreparedRead(select(Server.region).where(Server.id == bindparam("id")), str)
    with writing() as session:
        session.get_one(Server, "srv-01").region = "ams"
        assert read.first(id="srv-01") == "ams"
        assert db.engine.pool.checkedout() == 1  # type: ignore[attr-defined]  # QueuePool has it

    assert read.first(id="srv-01") == "ams"
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # QueuePool has it


def test_an_error_inside_a_write_transaction_undoes_it(cast: Cast) -> None:
    def change() -> None:
        with writing() as session:
            session.get_one(Server, "srv-01").region = "ams"
            PreparedRead(select(text("missing")), str).first()

    with pytest.raises(DatabaseError):
        change()

    assert PreparedRead(select(Server.region).where(Server.id == "srv-01"), str).first() == "fra"
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # QueuePool has it


def test_an_error_is_the_databases_and_names_no_value(app: Flask) -> None:
    read = PreparedRead(select(text("missing")).where(text("missing = :secret").bindparams(secret="pp_secret")), str)

    for _ in range(2):
        with pytest.raises(DatabaseError) as failed:
            read.first()
        assert "pp_secret" not in str(failed.value)
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # QueuePool has it


def test_listeners_of_the_engine_see_it(cast: Cast) -> None:
    seen: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))

    PreparedRead(select(Server.id), str).all()

    assert len(seen) == 1
    assert "FROM servers" in seen[0]
