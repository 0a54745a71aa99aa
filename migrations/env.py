"""How migrations run: one transaction each, on SQLite with foreign keys off and checked before the commit.

SQLite changes most things of a table by copying it and dropping the old one; with foreign keys on, dropping a parent
would delete its children (measured: a batch alter of a parent cascaded).
"""

from __future__ import annotations

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from app.data.database import WRITES
from app.data.extensions import db


def run() -> None:
    """Migrate the app's database."""
    engine = db.engine
    if engine.dialect.name != "sqlite":
        with engine.connect() as connection:
            _migrate(connection)
        return
    with engine.connect().execution_options(**{WRITES: True}) as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys=OFF")  # has no effect inside a transaction, so before the first one
        try:
            _migrate(connection)
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        render_as_batch=True,
        compare_type=True,
        transactional_ddl=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()
        if connection.dialect.name == "sqlite":
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                raise RuntimeError(
                    f"the migration would leave rows without their parents, nothing was done: {broken[:5]}"
                )


if context.is_offline_mode():
    raise SystemExit("Migrations read the database they change: run `flask db upgrade` without --sql.")
current_app.logger.info("migrating the database")
run()
