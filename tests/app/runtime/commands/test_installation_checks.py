"""flask doctor on this machine's part: database, Redis, disk and secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from app.config.settings import Settings
from app.data.extensions import db
from app.process.check_result import CheckResult
from app.runtime import installation_checks
from app.runtime.doctor import CHECKS
from tests.app.runtime.processes import free_port

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def checked(app: Flask, name: str, **changed: object) -> CheckResult:
    """The result of one check with other settings."""
    own: Settings = app.config["SLIPWAY"]
    app.config["SLIPWAY"] = own.model_copy(update=changed)
    (check,) = (check for check in CHECKS if check.name == name)
    try:
        return check.run()
    finally:
        app.config["SLIPWAY"] = own


def test_a_database_that_is_ready_is_found(app: Flask, settings: Settings) -> None:
    kind = "SQLite" if settings.database_url.startswith("sqlite") else "Postgres"
    assert checked(app, "database").text == f"{kind} answers and has the tables of this version."


@on_sqlite
def test_a_database_that_is_away_or_not_migrated_is_found(app: Flask, tmp_path: Path) -> None:
    away = f"postgresql+psycopg://slipway:hunter2hunter2@127.0.0.1:{free_port()}/slipway"
    found = checked(app, "database", database_url=away)
    assert (found.state, "does not answer" in found.text, "hunter2" in found.text) == ("failed", True, False)
    found = checked(app, "database", database_url=f"sqlite:///{tmp_path}/new.db")
    assert (found.state, "Run `flask db upgrade`" in found.text) == ("failed", True)
    with db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'from the future'")
    found = checked(app, "database")
    assert (found.state, "a newer version migrated it" in found.text) == ("failed", True)


@on_sqlite
def test_redis_that_is_away_is_found(app: Flask) -> None:
    assert checked(app, "redis").state == "skipped"
    found = checked(app, "redis", redis_url=f"redis://:hunter2hunter2@127.0.0.1:{free_port()}/0")
    assert (found.state, "hunter2" in found.text) == ("failed", False)
    assert found.text == "The server of REDIS_URL does not answer (ConnectionError)."


@on_sqlite
def test_a_disk_without_room_is_found(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked(app, "disk").state == "ok"
    found = checked(app, "disk", pack_dir=tmp_path / "not" / "there", pack_free_bytes=10**18)
    assert found.state == "failed"
    assert f"{tmp_path / 'not' / 'there'} has " in found.text
    assert "PACK_DIR" in found.text
    monkeypatch.setattr(installation_checks, "MIN_FREE_BYTES", 10**18)
    found = checked(app, "disk")
    assert (found.state, "SLIPWAY_INSTANCE" in found.text) == ("failed", True)


@on_sqlite
def test_secrets_that_others_can_read_or_guess_are_found(
    app: Flask, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert checked(app, "secrets").state == "ok"
    found = checked(app, "secrets", secret_key="guess me")
    assert (found.state, "has 8 characters" in found.text, "guess me" in found.text) == ("failed", True, False)
    (tmp_path / ".env").write_text("S3_SECRET_KEY=x")
    (tmp_path / ".env").chmod(0o644)
    found = checked(app, "secrets")
    assert (found.state, "Run `chmod go= .env`" in found.text) == ("failed", True)
    (tmp_path / ".env").unlink()
    # The start closes files, but not what a link in the folder leads to.
    secret = settings.instance / "secret_key"
    secret.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").chmod(0o640)
    secret.symlink_to(tmp_path / "elsewhere")
    found = checked(app, "secrets")
    assert (found.state, f"{secret} (mode 0640" in found.text) == ("failed", True)
