"""Writers of one process take turns before SQLite's lock (decision 73)."""

from __future__ import annotations

import threading

import pytest
from flask import Flask
from sqlalchemy import select

from app.data import database
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.audit_record import Topic

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_every_write_of_many_threads_is_there(app: Flask) -> None:
    def write() -> None:
        with app.app_context():
            for _ in range(10):
                with writing():
                    announce("counted")

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert db.session.scalar(select(Topic.version).where(Topic.name == "counted")) == 80


@on_sqlite
def test_a_writer_has_its_turn_until_it_ends(app: Flask) -> None:
    with writing():
        assert database._turn.locked()
    assert not database._turn.locked()

    with pytest.raises(ValueError, match="stop"), writing():
        raise ValueError("stop")
    assert not database._turn.locked()


@on_sqlite
def test_a_writer_whose_turn_does_not_come_goes_on(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own waiting decides then, as between processes."""
    monkeypatch.setattr(database, "_TURN_SECONDS", 0.01)
    with database._turn, writing():
        announce("late")

    assert db.session.scalar(select(Topic.version).where(Topic.name == "late")) == 1


def test_many_topics_rise_together_and_few_one_by_one(app: Flask) -> None:
    for names in (["a"], [f"t{number}" for number in range(30)], ["a", "t1"]):
        with writing():
            announce(*names)

    found = dict(db.session.execute(select(Topic.name, Topic.version)).all())
    assert (found["a"], found["t1"], found["t2"], len(found)) == (2, 2, 1, 31)
