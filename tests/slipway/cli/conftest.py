"""The real app in processes of its own, with a line to storage that can be held and cut, and the command beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.embedded_server import StorageAccess
from tests.app.uploads.raw.live import Gunicorn, World, world_on_sqlite
from tests.slipway.cli.cli_process import Slipway
from tests.slipway.cli.storage_proxy import StorageLine


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, storage: StorageAccess, empty_sqlite: Path) -> Iterator[World]:
    with world_on_sqlite(tmp_path_factory.mktemp("cli"), empty_sqlite, storage) as world:
        yield world


@pytest.fixture(scope="session")
def _line(storage: StorageAccess) -> Iterator[StorageLine]:
    line = StorageLine(storage.endpoint)
    yield line
    line.close()


@pytest.fixture
def line(_line: StorageLine) -> Iterator[StorageLine]:
    """Between the command and storage."""
    _line.reset()
    yield _line
    _line.reset()


@pytest.fixture(scope="session")
def gunicorn(world: World, _line: StorageLine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    log = tmp_path_factory.mktemp("log") / "gunicorn.log"
    server = Gunicorn(world.settings, log, S3_PUBLIC_ENDPOINT=_line.url).start()
    yield server
    server.kill()


@pytest.fixture
def slipway(tmp_path: Path, world: World, gunicorn: Gunicorn, line: StorageLine) -> Slipway:
    """The command with the address and a key in its environment, and the only game not named."""
    return Slipway(tmp_path / "home", {"SLIPWAY_URL": gunicorn.address, "SLIPWAY_KEY": world.key})


@pytest.fixture
def slug(world: World) -> str:
    """A game of this test's own."""
    return world.new_game()
