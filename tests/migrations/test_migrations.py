"""Migrations, up and down, on both kinds of database, empty and with a row in every table."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import CheckConstraint, Connection, Inspector, MetaData, inspect, select, text

from app.data.extensions import db
from app.data.models.game import Release
from tests.conftest import ROOT
from tests.filled_tables import MOMENT, fill_tables

pytestmark = pytest.mark.slow

MIGRATIONS = str(ROOT / "migrations")
REVISIONS = [script.revision for script in ScriptDirectory(MIGRATIONS).walk_revisions()]  # newest first
Stored = dict[str, list[dict[str, Any]]]


def tables() -> set[str]:
    return set(inspect(db.engine).get_table_names()) - {"alembic_version"}


def stored(only: Stored | None = None) -> Stored:
    """Every row as plain values; with `only`, just the columns that were there then."""
    found: Stored = {}
    reflected = MetaData()
    with db.engine.connect() as connection:
        reflected.reflect(connection)
        for name in tables():
            table = reflected.tables[name]
            columns = list(only[name][0]) if only else list(table.columns.keys())
            rows = connection.execute(select(*(table.c[column] for column in columns if column in table.c)))
            found[name] = sorted((dict(row._mapping) for row in rows), key=repr)
    return found


def common(before: Stored, after: Stored) -> tuple[Stored, Stored]:
    """Both without what only one of them has: tables and columns that a step made or dropped."""
    first: Stored = {}
    second: Stored = {}
    for name in before.keys() & after.keys():
        shared = before[name][0].keys() & after[name][0].keys() if before[name] and after[name] else set()
        first[name] = sorted(({key: row[key] for key in shared} for row in before[name]), key=repr)
        second[name] = sorted(({key: row[key] for key in shared} for row in after[name]), key=repr)
    return first, second


def check_foreign_keys(connection: Connection) -> None:
    """Every row has its parents. Postgres cannot hold others; SQLite can, when it was told not to look."""
    if connection.dialect.name == "sqlite":
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def fill_twice() -> None:
    with db.engine.begin() as connection:
        rows = fill_tables(connection, db.metadata, "first", everything=True)
        fill_tables(connection, db.metadata, "second", {"members.role": "viewer"})
    assert rows.keys() == db.metadata.tables.keys() == tables()


def test_up_from_nothing_makes_every_table_and_down_leaves_none(bare_app: Flask) -> None:
    assert tables() == set()

    upgrade(MIGRATIONS)
    assert tables() == set(db.metadata.tables)

    downgrade(MIGRATIONS, revision="base")
    assert tables() == set()

    upgrade(MIGRATIONS)
    assert tables() == set(db.metadata.tables)


def test_migrations_and_models_say_the_same(bare_app: Flask) -> None:
    upgrade(MIGRATIONS)

    with db.engine.connect() as connection:
        # SQLite tells a default of '' in other words than the models do.
        options = {"compare_type": True, "compare_server_default": connection.dialect.name != "sqlite"}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, db.metadata) == []
    result = bare_app.test_cli_runner().invoke(args=["db", "check", "--directory", MIGRATIONS])
    assert result.exit_code == 0, result.output


def test_every_foreign_key_and_check_of_the_models_is_in_the_database(bare_app: Flask) -> None:
    """`flask db check` compares neither checks nor, on SQLite, what happens to children."""
    upgrade(MIGRATIONS)
    found = inspect(db.engine)

    for table in db.metadata.sorted_tables:
        wanted = {
            (column.name, key.column.table.name, key.column.name, key.ondelete or "NO ACTION")
            for column in table.columns
            for key in column.foreign_keys
        }
        assert foreign_keys(found, table.name) == wanted, table.name
        checks = {str(check["name"]) for check in found.get_check_constraints(table.name)}
        assert checks == {
            str(constraint.name) for constraint in table.constraints if isinstance(constraint, CheckConstraint)
        }, table.name


def foreign_keys(found: Inspector, table: str) -> set[tuple[str, str, str, str]]:
    return {
        (column, key["referred_table"], referred, str(key["options"].get("ondelete", "NO ACTION")))
        for key in found.get_foreign_keys(table)
        for column, referred in zip(key["constrained_columns"], key["referred_columns"], strict=True)
    }


def test_each_step_down_and_up_again_keeps_every_row_of_what_stays(bare_app: Flask) -> None:
    upgrade(MIGRATIONS)
    fill_twice()
    assert len(REVISIONS) > 1

    for revision in REVISIONS[1:]:
        before = stored()
        downgrade(MIGRATIONS, revision=revision)
        left, kept = common(before, stored())
        assert kept == left, f"down to {revision}"
        with db.engine.connect() as connection:
            check_foreign_keys(connection)

    assert "partners" in tables()
    for revision in reversed(REVISIONS[:-1]):
        before = stored()
        upgrade(MIGRATIONS, revision=revision)
        left, kept = common(before, stored())
        assert kept == left, f"up to {revision}"
        with db.engine.connect() as connection:
            check_foreign_keys(connection)

    assert tables() == set(db.metadata.tables)


def test_all_the_way_down_works_on_a_filled_database(bare_app: Flask) -> None:
    upgrade(MIGRATIONS)
    fill_twice()

    downgrade(MIGRATIONS, revision="base")

    assert tables() == set()


def test_a_migration_that_fails_leaves_everything_as_it_was(bare_app: Flask, tmp_path: Path) -> None:
    upgrade(MIGRATIONS)
    fill_twice()
    before = stored()
    broken = with_another_step(tmp_path, "op.execute('DELETE FROM answered_requests')\n    raise RuntimeError('no')")

    with pytest.raises(SystemExit):
        upgrade(broken)

    assert stored() == before
    with db.engine.connect() as connection:
        check_foreign_keys(connection)
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == REVISIONS[0]


@pytest.mark.parametrize("bare_app", ["sqlite"], indirect=True)
def test_a_migration_that_would_orphan_rows_is_undone(bare_app: Flask, tmp_path: Path) -> None:
    """Foreign keys are off while SQLite migrates; that they are looked at before the commit is what protects rows."""
    upgrade(MIGRATIONS)
    fill_twice()
    before = stored()

    with pytest.raises(SystemExit):
        upgrade(with_another_step(tmp_path, "op.execute('DELETE FROM partners')"))

    assert stored() == before


def with_another_step(tmp_path: Path, statement: str) -> str:
    """A copy of the migrations with one more after the newest."""
    copied = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, copied, ignore=shutil.ignore_patterns("__pycache__"))
    (copied / "versions" / "9999_another.py").write_text(
        f"from alembic import op\nrevision = '9999'\ndown_revision = '{REVISIONS[0]}'\n\n\n"
        f"def upgrade() -> None:\n    {statement}\n\n\ndef downgrade() -> None:\n    pass\n"
    )
    return str(copied)


def test_what_only_the_new_version_allows_gets_names_of_its_own_on_the_way_down(bare_app: Flask) -> None:
    """Two partners with one name, and an address with an account in each: the older keeps both."""
    upgrade(MIGRATIONS)
    with db.engine.begin() as connection:
        for marker in ("first", "second"):
            same = {"partners.name": "Kite Works", "members.email": "mira@kite.example"}
            fill_tables(
                connection, db.metadata, marker, same | {"members.created_at": MOMENT, "partners.created_at": MOMENT}
            )

    downgrade(MIGRATIONS, revision="0005")

    with db.engine.connect() as connection:
        names = connection.scalars(text("SELECT name FROM partners ORDER BY id")).all()
        members = connection.execute(text("SELECT email, session_stamp FROM members ORDER BY id")).all()
    assert names == ["Kite Works", "Kite Works (second-partners-id)"]
    assert [row.email for row in members] == ["mira@kite.example", "second-members-id@renamed.invalid"]
    assert len({row.session_stamp for row in members}) == 2
    upgrade(MIGRATIONS)


def test_live_builds_that_all_servers_have_get_the_time_of_their_last_copy(bare_app: Flask) -> None:
    """0020: until then nothing recorded when a release was cached everywhere."""
    upgrade(MIGRATIONS)
    copied = {"replicas.cached_at": MOMENT + timedelta(minutes=5), "releases.cached_everywhere_at": None}
    with db.engine.begin() as connection:
        fill_tables(connection, db.metadata, "first", copied)
    recorded = text("SELECT cached_everywhere_at IS NOT NULL FROM releases ORDER BY id")

    downgrade(MIGRATIONS, revision="0019")
    upgrade(MIGRATIONS)
    with db.engine.connect() as connection:
        assert [bool(each) for each in connection.scalars(recorded)] == [True]
        found = connection.execute(select(Release.released_at, Release.cached_everywhere_at)).one()
    assert found.cached_everywhere_at - found.released_at == timedelta(minutes=5)

    with db.engine.begin() as connection:  # another server, which lacks the first build, and another game
        fill_tables(connection, db.metadata, "second", copied | {"members.role": "viewer"})
    downgrade(MIGRATIONS, revision="0019")
    upgrade(MIGRATIONS)
    with db.engine.connect() as connection:
        assert [bool(each) for each in connection.scalars(recorded)] == [False, False]
