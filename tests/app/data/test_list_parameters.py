"""Lists as one parameter: the same statement for a list of any length, on both databases."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import insert, select

from app.data.database import announce, writing
from app.data.extensions import db
from app.data.list_parameters import is_among, items_of
from app.data.models.server import Server
from app.topics.versions import stored_version
from tests.app.fleet.counting import statements

pytestmark = pytest.mark.both_databases
NAMES = ["plain", "a, b", "it's", '"quoted"', "{braces}", "back\\slash", "NULL", "", "École 🎮"]


@pytest.mark.parametrize("names", [NAMES, NAMES[:1], []])
def test_rows_are_found_by_the_items(app: Flask, names: list[str]) -> None:
    with writing() as session:
        session.execute(insert(Server), [{"id": name, "token_hash": f"hash of {name}"} for name in [*NAMES, "other"]])
    query = select(Server.id).where(is_among(Server.id, "names", db.engine.dialect.name))

    assert set(db.session.scalars(query, {"names": names})) == set(names)


def test_items_are_rows(app: Flask) -> None:
    query = select(items_of("names", db.engine.dialect.name))

    assert sorted(db.session.scalars(query, {"names": NAMES})) == sorted(NAMES)


def test_many_topics_change_in_the_statement_that_changes_one(app: Flask) -> None:
    with statements() as one, writing():
        announce("first")
    with statements() as many, writing():
        announce("first", *(f"topic {number}" for number in range(50)))

    texts = [text for text in many if "topics" in text]
    assert len(texts) == 1
    assert texts == [text for text in one if "topics" in text]
    assert [stored_version(name) for name in ("first", "topic 0", "topic 49", "other")] == [2, 1, 1, 0]
