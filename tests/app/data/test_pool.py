"""The pool of connections to Postgres: what the database has closed is replaced before it is used."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import bindparam, func, select, text
from sqlalchemy.orm import Session

from app.data.database import writing
from app.data.extensions import db
from app.data.models.server import Server
from app.data.prepared_reads import PreparedRead
from app.data.unpooled_connections import unpooled_connection
from tests.app.runtime.processes import wait_until
from tests.conftest import Cast

on_postgres = pytest.mark.parametrize(
    "database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
REGION = PreparedRead(select(Server.region).where(Server.id == bindparam("id")), str)


def close_all_idle(app: Flask) -> None:
    """As a restart of the database, or its limit for idle sessions, does."""
    db.session.remove()
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with unpooled_connection() as connection:
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}"))

    def others_are_closed() -> bool:
        with unpooled_connection() as connection:
            return int(connection.scalar(text(f"SELECT count(*) {others}")) or 0) == 0

    wait_until(others_are_closed, 60, "the other connections are closed")


@on_postgres
def test_closed_connections_are_replaced(app: Flask, cast: Cast) -> None:
    with db.engine.connect(), db.engine.connect(), db.engine.connect():
        assert db.engine.pool.checkedout() == 3  # type: ignore[attr-defined]  # QueuePool has it
    close_all_idle(app)

    assert REGION.first(id="srv-01") == "fra"

    close_all_idle(app)
    with writing() as session:
        session.get_one(Server, "srv-01").region = "ams"
    assert REGION.first(id="srv-01") == "ams"

    close_all_idle(app)
    assert db.session.scalar(select(Server.region).where(Server.id == "srv-01")) == "ams"


@on_postgres
def test_a_prepared_read_begins_no_transaction_and_leaves_the_connection_as_it_was(app: Flask, cast: Cast) -> None:
    db.session.remove()
    began = transactions(app)
    for _ in range(5):
        assert REGION.first(id="srv-01") == "fra"
    with db.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        assert driver.autocommit is False
    with Session(db.engine) as session:
        session.get_one(Server, "srv-01").region = "ams"
        session.rollback()
    assert REGION.first(id="srv-01") == "fra"
    assert began == transactions(app) == 0


@on_postgres
def test_a_read_that_fails_before_the_database_leaves_no_connection_without_transactions(
    app: Flask, cast: Cast
) -> None:
    """The driver cannot encode half of a surrogate pair, which is no error of the database. The connection went back to
    the pool as it was, and each statement of the next transaction on it was committed by itself."""
    db.session.remove()
    with pytest.raises(UnicodeEncodeError):
        REGION.first(id="\ud800")

    def change() -> None:
        with writing() as session:
            session.get_one(Server, "srv-01").region = "ams"
            session.flush()
            raise RuntimeError("after the change")

    with pytest.raises(RuntimeError, match="after the change"):
        change()
    assert REGION.first(id="srv-01") == "fra"


@on_postgres
def test_the_connection_that_was_used_last_is_used_first(app: Flask, cast: Cast) -> None:
    """It has the statements prepared, which each connection does for itself."""
    db.session.remove()
    with db.engine.connect(), db.engine.connect(), db.engine.connect():
        pass
    process = PreparedRead(select(func.pg_backend_pid()), int)

    assert len({process.first() for _ in range(5)}) == 1


def transactions(app: Flask) -> int:
    """Sessions of this database that are idle within a transaction."""
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in trans%'"
    with db.engine.connect() as connection:
        return int(connection.scalar(text(idle)) or 0)
