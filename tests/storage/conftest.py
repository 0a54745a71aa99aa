"""Storages of three kinds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.config.storage_settings import StorageSettings
from app.storage.bucket import Bucket
from app.storage.embedded_server import StorageAccess
from tests.conftest import settings_for
from tests.storage.rclone import Rclone
from tests.storage.seaweed import SeaweedFS


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A real SeaweedFS on loopback."""
    server = SeaweedFS(tmp_path_factory.mktemp("seaweed"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rclone]:
    """A real `rclone serve s3` on loopback."""
    server = Rclone(tmp_path_factory.mktemp("rclone"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture
def embedded(tmp_path_factory: pytest.TempPathFactory, storage: StorageAccess) -> StorageSettings:
    """A bucket on the embedded storage."""
    where = settings_for(tmp_path_factory.mktemp("instance"), storage).storage_settings
    Bucket(where).make()
    return where
