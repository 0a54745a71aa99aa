"""Databases that were never migrated, of both kinds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import URL

from app import create_app
from app.data.extensions import db
from app.storage.embedded_server import StorageAccess
from tests.conftest import run_sql, settings_for


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def bare_app(request: pytest.FixtureRequest, tmp_path: Path, storage: StorageAccess) -> Iterator[Flask]:
    """An app, inside its context, over a database without a table."""
    if request.param == "sqlite":
        yield from _app(tmp_path, storage, f"sqlite:///{tmp_path / 'bare.db'}")
        return
    server: URL = request.getfixturevalue("postgres")
    name = f"bare_{os.getpid()}"
    run_sql(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    yield from _app(tmp_path, storage, server.set(database=name).render_as_string(hide_password=False))
    run_sql(server, f"DROP DATABASE {name} WITH (FORCE)")


def _app(instance: Path, storage: StorageAccess, url: str) -> Iterator[Flask]:
    app = create_app(settings_for(instance, storage, DATABASE_URL=url))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()
