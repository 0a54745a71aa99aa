"""A world that faults are brought into: a running app, its storage, and its database of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from app.storage.embedded_server import StorageAccess
from tests.app.uploads.raw.live import Gunicorn, World, world_of, world_on_sqlite
from tests.app.uploads.resumable.resuming import Platform
from tests.conftest import run_sql, settings_for

LIMITS = {"SLIPWAY_BODY_TIMEOUT": "20", "SLIPWAY_DRAIN_SECONDS": "2"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path, storage: StorageAccess) -> Iterator[World]:
    """An installation on SQLite."""
    with world_on_sqlite(tmp_path_factory.mktemp("instance"), empty_sqlite, storage, **LIMITS) as world:
        yield world


@pytest.fixture(scope="module")
def postgres_world(
    tmp_path_factory: pytest.TempPathFactory, postgres: URL, empty_postgres: str, storage: StorageAccess
) -> Iterator[World]:
    """An installation of one process on Postgres."""
    run_sql(postgres, f"CREATE DATABASE faults TEMPLATE {empty_postgres}")
    url = postgres.set(database="faults").render_as_string(hide_password=False)
    with world_of(settings_for(tmp_path_factory.mktemp("instance"), storage, DATABASE_URL=url, **LIMITS)) as world:
        yield world
    run_sql(postgres, "DROP DATABASE faults WITH (FORCE)")


@pytest.fixture
def apart(tmp_path: Path, empty_sqlite: Path, storage: StorageAccess) -> Iterator[World]:
    """An installation in which no web server of another test looks for work."""
    with world_on_sqlite(tmp_path / "instance", empty_sqlite, storage) as world:
        yield world


@pytest.fixture
def gunicorn(world: World, tmp_path: Path) -> Iterator[Gunicorn]:
    """Not started: tests say with which environment."""
    server = Gunicorn(world.settings, tmp_path / "gunicorn.log")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def platform(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One web server for all tests of a module: gunicorn starts the next process when one is killed."""
    running = Platform(world, tmp_path_factory.mktemp("gunicorn"))
    yield running
    running.close()
