"""A full disk is 503 with Retry-After for every caller, and passes by itself. Mistakes of the program stay 500."""

from __future__ import annotations

import itertools
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from werkzeug.test import TestResponse

from app.data.database import writing
from app.data.extensions import db
from app.data.outages import outage_in
from tests.app.fleet.acting import FleetAgent
from tests.conftest import GAME, Cast, bearer

RAISES = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$
"""
TABLES = ("games", "servers")


@contextmanager
def no_room() -> Iterator[None]:
    """SQLite with its own limit of pages; Postgres with the error that it has for a full disk."""
    if db.engine.dialect.name == "postgresql":
        with writing() as session:
            session.execute(text(RAISES))
            for table in TABLES:
                trigger = f"CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW"
                session.execute(text(f"{trigger} EXECUTE FUNCTION no_room()"))
        try:
            yield
        finally:
            with writing() as session:
                session.execute(text("DROP FUNCTION no_room CASCADE"))
        return

    def limit(connection: object, _record: object, _proxy: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # type: ignore[attr-defined]  # sqlite3; it means "no more"

    db.session.remove()
    event.listen(db.engine, "checkout", limit)
    try:
        yield
    finally:
        event.remove(db.engine, "checkout", limit)
        db.session.remove()
        db.engine.dispose()


@pytest.mark.both_databases
def test_a_full_disk_is_503_and_passes(
    app: Flask, client: FlaskClient, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    numbers, agent = itertools.count(1), FleetAgent(client, cast.servers["srv-01"])

    def new_game() -> TestResponse:
        game = GAME | {"slug": f"game-{next(numbers)}", "description": "x" * 2000}
        return client.post("/api/partners/games", json=game, headers=bearer(cast.starlight.key))

    with no_room():
        # SQLite first uses the room in pages that it has already.
        answer = next(found for found in (new_game() for _ in range(50)) if found.status_code != 201)
        answers = [answer, new_game(), new_game()]
        if db.engine.dialect.name == "postgresql":
            answers.append(agent.send(agent.document()))
    for answer in answers:
        assert answer.status_code == 503, answer.data
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json is not None
        assert "no room left on its disk" in answer.json["message"]
        assert answer.json["error"] == "service_unavailable"
    assert new_game().status_code == 201
    assert agent.send(agent.document()).status_code == 200
    said = [record.getMessage() for record in caplog.records if " room " in record.getMessage()]
    assert len(said) == 2, said
    assert said[0].startswith("there is no room left on a disk: ")
    assert said[1] == "there is room on the disk again"
    assert not any(record.exc_info for record in caplog.records)


def test_a_page_says_it_without_asking_the_database(app: Flask, client: FlaskClient, cast: Cast) -> None:
    """The usual error page shows the member, who is in the database."""

    @app.before_request
    def fails() -> None:
        cause = sqlite3.OperationalError("unable to open database file")
        cause.sqlite_errorcode = 14
        raise DBAPIError.instance("SELECT 1", None, cause, sqlite3.Error)

    answer = client.get("/games")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Not available right now" in answer.text
    line = client.get("/games", headers={"Accept": "text/event-stream"})
    assert (line.status_code, line.mimetype) == (503, "text/plain")


def test_a_mistake_of_the_program_is_no_outage(app: Flask) -> None:
    with pytest.raises(DBAPIError) as missing:
        db.session.execute(text("SELECT 1 FROM no_such_table"))
    assert outage_in(missing.value) is None
    assert outage_in(ValueError("wrong")) is None
