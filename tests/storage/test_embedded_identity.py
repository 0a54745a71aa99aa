"""The embedded storage makes its upload identity by itself, at each start, also in a folder of the version before."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3

from app.config.settings import load_settings
from app.config.storage_settings import StorageSettings
from app.storage.embedded_server import EmbeddedStorage, StorageAccess
from app.storage.url_signing import presign
from app.storage.write_address_probe import Finding, probe_write_addresses

pytestmark = pytest.mark.slow
A_MINUTE = timedelta(minutes=1)


def where(access: StorageAccess) -> StorageSettings:
    return StorageSettings(
        *(access.endpoint, access.access_key, access.secret_key, access.bucket, access.region),
        *(access.endpoint, access.endpoint, access.upload_access_key, access.upload_secret_key),
    )


def put(signer: StorageSettings, key: str) -> int:
    return urllib3.request("PUT", presign(signer, "PUT", key, {}, A_MINUTE), body=b"x", retries=False).status


def test_its_keys_are_for_the_owner_of_the_folder_alone(tmp_path: Path) -> None:
    with EmbeddedStorage(tmp_path / "storage") as access:
        path = tmp_path / "storage" / "upload-credentials"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert json.loads(path.read_text()) == {
            "accessKey": access.upload_access_key,
            "secretKey": access.upload_secret_key,
        }
        assert access.upload_secret_key not in repr(access)
        assert access.upload_secret_key not in (tmp_path / "storage" / "gateway.log").read_text()


def test_it_is_the_same_after_a_restart_and_made_again_where_it_is_missing(tmp_path: Path) -> None:
    with EmbeddedStorage(tmp_path / "storage") as access:
        assert probe_write_addresses(where(access)) == Finding()
    with EmbeddedStorage(tmp_path / "storage") as again:
        assert again == access
        assert probe_write_addresses(where(again)) == Finding()
    (tmp_path / "storage" / "upload-credentials").unlink()
    with EmbeddedStorage(tmp_path / "storage") as anew:
        assert anew.upload_access_key != access.upload_access_key
        assert probe_write_addresses(where(anew)) == Finding()


def test_in_a_folder_of_the_version_before_its_addresses_end_and_its_objects_stay(tmp_path: Path) -> None:
    """Those addresses were signed by the root key: each could still be turned into a copy for an hour."""
    with EmbeddedStorage(tmp_path / "storage") as before:
        root = replace(where(before), upload_access_key=None)
        assert put(root, "archives/kept") == 200
        old = presign(root, "PUT", "staging/old", {}, timedelta(hours=1))
        assert urllib3.request("PUT", old, body=b"x", retries=False).status == 200
    (tmp_path / "storage" / "upload-credentials").unlink()  # it knew none

    with EmbeddedStorage(tmp_path / "storage", port=int(before.endpoint.rpartition(":")[2])) as after:
        assert urllib3.request("PUT", old, body=b"x", retries=False).status == 403
        kept = urllib3.request("GET", presign(where(after), "GET", "archives/kept", {}, A_MINUTE), retries=False)
        assert (kept.status, kept.data) == (200, b"x")
        assert probe_write_addresses(where(after)) == Finding()


def test_commands_find_its_keys_in_the_instance_folder(tmp_path: Path) -> None:
    with EmbeddedStorage(tmp_path / "storage") as access:
        found = load_settings({"SLIPWAY_INSTANCE": str(tmp_path)}).storage_settings
        assert found == where(access)
        (tmp_path / "storage" / "upload-credentials").unlink()
        older = load_settings({"SLIPWAY_INSTANCE": str(tmp_path)}).storage_settings
        assert older.upload_access_key is older.upload_secret_key is None
        assert older.upload_signer is older


@pytest.mark.parametrize("bucket", ["slipway", "another"])
def test_it_may_put_into_the_incoming_prefixes_of_whichever_bucket_is_set(tmp_path: Path, bucket: str) -> None:
    with EmbeddedStorage(tmp_path / "storage") as access:
        own = replace(where(access), bucket=bucket)
        urllib3.request("PUT", presign(own, "PUT", "", {}, A_MINUTE), retries=False)
        statuses = {key: put(own.upload_signer, key) for key in ("archives/a", "staging/a", "uploads/sh/a", "a")}
        assert statuses == {"archives/a": 200, "staging/a": 200, "uploads/sh/a": 403, "a": 403}
