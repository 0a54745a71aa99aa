"""Commands on a database that was never migrated."""

from __future__ import annotations

from sqlalchemy import text

from app.data.database import writing
from tests.app.runtime.commands.conftest import Shell


def test_a_database_that_was_not_migrated_is_one_line(shell: Shell) -> None:
    with writing() as session:
        session.execute(text("ALTER TABLE partners RENAME TO partners_away"))
    try:
        message = shell.refused("partner", "create", "Kite Works")
    finally:
        with writing() as session:
            session.execute(text("ALTER TABLE partners_away RENAME TO partners"))

    assert "partners" in message
    assert "flask db upgrade" in message
