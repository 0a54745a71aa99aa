"""A database of another version is refused at start, with the command to run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import text

from app.config.settings import settings
from app.data.extensions import db
from app.data.schema_version import MIGRATIONS, migration_missing
from tests.app.runtime.processes import free_port
from tests.app.runtime.test_serving import GUNICORN, environment
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


def missing() -> str | None:
    return migration_missing(settings().database_url)


def test_each_state_of_a_database_has_its_own_words(bare_app: Flask) -> None:
    assert "no tables yet" in (missing() or "")
    assert "flask db upgrade" in (missing() or "")

    upgrade(str(MIGRATIONS))
    assert missing() is None

    downgrade(str(MIGRATIONS), revision="-1")
    assert "Make a backup, run `flask db upgrade`" in (missing() or "")

    upgrade(str(MIGRATIONS))
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_tomorrow'"))
    assert "a newer version migrated it" in (missing() or "")


def test_a_database_that_does_not_answer_is_only_away() -> None:
    assert migration_missing(f"postgresql://nobody:x@127.0.0.1:{free_port()}/none") is None


@pytest.mark.parametrize("command", [[*GUNICORN, "wsgi:app"], [sys.executable, "-m", "flask", "worker"]])
def test_nothing_starts_on_it(command: list[str], tmp_path: Path) -> None:
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(tmp_path / "instance", free_port()),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode != 0
    assert "flask db upgrade" in ended.stderr
    assert "Traceback" not in ended.stderr
