"""Whether the database has the tables of this version: its revision beside the newest one in `migrations`."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def migration_missing(database_url: str) -> str | None:
    """Why the database cannot be used with this version, and the command to run. None if it can, or if it does not
    answer: then it is only away, and requests get 503 until it is back."""
    engine = create_engine(database_url)
    try:
        return _missing(engine)
    except SQLAlchemyError:
        return None
    finally:
        engine.dispose()


def newest_revision() -> str:
    """The revision that this version needs."""
    return str(_scripts().get_current_head())


def _missing(engine: Engine) -> str | None:
    scripts = _scripts()
    newest = scripts.get_current_head()
    with engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
        tables = inspect(connection).get_table_names()
    if present == newest:
        return None
    if present is None:
        found = "The database has no tables yet." if not tables else "The database was never migrated."
        return f"{found} Run `flask db upgrade`, then start again."
    try:
        scripts.get_revision(present)
    except CommandError:
        return (
            f"The database is at revision {present}, which this version does not know: a newer version migrated it. "
            "Start that version, or restore a backup."
        )
    return (
        f"The database is at revision {present}, and this version needs {newest}. Make a backup, run "
        "`flask db upgrade`, then start again."
    )


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config)
