"""`flask doctor` finds what a storage lacks, on storages of three kinds."""

from __future__ import annotations

import pytest

from app.config.storage_settings import StorageSettings
from app.storage.bucket import Bucket
from app.storage.capabilities import check_ranges, check_transfers
from tests.storage.rclone import Rclone
from tests.storage.seaweed import SeaweedFS

pytestmark = pytest.mark.slow


def test_the_embedded_storage_lacks_nothing(embedded: StorageSettings) -> None:
    assert [check(embedded).state for check in (check_ranges, check_transfers)] == ["ok", "ok"]
    assert list(Bucket(embedded).objects("archives/")) == []
    assert Bucket(embedded).open_multiparts("archives/") == []


def test_seaweedfs_lacks_nothing(seaweed: SeaweedFS) -> None:
    where = seaweed.settings(upload=None)
    assert [check(where).state for check in (check_ranges, check_transfers)] == ["ok", "ok"]


def test_rclone_sends_ranges_with_the_status_of_a_whole_object(rclone: Rclone) -> None:
    found = check_ranges(rclone.settings())
    assert found.state == "failed"
    assert "status 200 instead of 206" in found.text
    assert "they fetch the whole archive" in found.text
    assert check_transfers(rclone.settings()).state == "ok"
