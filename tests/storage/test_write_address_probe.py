"""The probe finds out whether a client can turn an address for writing into a copy, on real storages of two kinds."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider

from app.config.storage_settings import StorageSettings
from app.storage.bucket import Bucket, StorageError
from app.storage.embedded_server import EmbeddedStorage
from app.storage.upload_identity import put_only_policy
from app.storage.url_signing import presign
from app.storage.write_address_probe import Finding, probe_write_addresses
from tests.app.runtime.processes import free_port
from tests.storage.seaweed import UPLOAD, SeaweedFS
from tests.storage.snowballs import snowball, unpacking

KINDS = ["an image", "a part of an archive"]
EVERY_FORM = [
    f"{kind}{form} from {where}"
    for where in ("this bucket", "another bucket")
    for kind in KINDS
    for form in ("", ", as a range,")
]


def with_root_alone(where: StorageSettings) -> StorageSettings:
    """As the version before signed addresses."""
    return replace(where, upload_access_key=None, upload_secret_key=None)


def is_empty(where: StorageSettings) -> bool:
    """Nothing of a probe is left, in the bucket or beside it."""
    store = Bucket(where)
    beside = [name for name, _ in store.beside() if name.startswith("slipway-probe-")]
    return not (list(store.objects("")) or store.open_multiparts("") or beside)


def test_every_form_of_the_attack_is_refused_to_the_upload_identity(embedded: StorageSettings) -> None:
    finding = probe_write_addresses(embedded)
    assert finding.safe
    assert finding.not_tried == []
    assert is_empty(embedded)


def test_every_form_of_the_attack_works_where_the_root_key_signs(embedded: StorageSettings) -> None:
    finding = probe_write_addresses(with_root_alone(embedded))
    assert finding.copied == EVERY_FORM
    assert replace(finding, copied=[]) == Finding()
    assert not finding.safe
    assert is_empty(embedded)


@pytest.mark.parametrize("readable", ["arn:aws:s3:::*", "arn:aws:s3:::slipway-probe-*/*"])
def test_an_identity_that_may_read_is_found_wherever_it_may(tmp_path: Path, readable: str) -> None:
    with EmbeddedStorage(tmp_path / "storage") as access:
        admin = MinioAdmin(
            endpoint=access.endpoint.removeprefix("http://"),
            credentials=StaticProvider(access.access_key, access.secret_key),
            secure=False,
        )
        policy = put_only_policy("*")
        policy["Statement"].append({"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [readable]})
        admin.policy_add("too-much", policy=policy)
        admin.user_add("reader", "reader-secret")
        admin.policy_set("too-much", user="reader")
        where = StorageSettings(
            *(access.endpoint, access.access_key, access.secret_key, access.bucket, access.region),
            *(access.endpoint, access.endpoint, "reader", "reader-secret"),
        )
        found = probe_write_addresses(where).copied
    assert found == (EVERY_FORM if readable.endswith("::*") else EVERY_FORM[4:])


def test_an_identity_that_may_not_put_is_told_from_one_that_is_safe(embedded: StorageSettings) -> None:
    finding = probe_write_addresses(replace(embedded, upload_access_key="nobody"))
    assert finding.not_written == KINDS
    assert not finding.safe


def test_without_the_right_to_make_buckets_the_rest_is_tried(embedded: StorageSettings) -> None:
    admin = MinioAdmin(
        endpoint=embedded.endpoint.removeprefix("http://"),
        credentials=StaticProvider(embedded.access_key, embedded.secret_key),
        secure=False,
    )
    own = f"arn:aws:s3:::{embedded.bucket}"
    statement = {"Effect": "Allow", "Action": ["s3:*"], "Resource": [own, f"{own}/*"]}
    admin.policy_add("one-bucket", policy={"Version": "2012-10-17", "Statement": [statement]})
    admin.user_add("one-bucket", "one-bucket-secret")
    admin.policy_set("one-bucket", user="one-bucket")
    narrow = replace(embedded, access_key="one-bucket", secret_key="one-bucket-secret")

    finding = probe_write_addresses(narrow)
    assert finding.safe
    assert finding.not_tried == ["a copy from another bucket: no bucket could be made (AccessDenied)"]
    assert probe_write_addresses(with_root_alone(narrow)).copied == EVERY_FORM[:4]


def test_storage_that_does_not_answer_gives_no_finding(embedded: StorageSettings) -> None:
    with pytest.raises(StorageError):
        probe_write_addresses(replace(embedded, endpoint=f"http://127.0.0.1:{free_port()}"))


@pytest.mark.slow
@pytest.mark.parametrize("upload", [UPLOAD, None], ids=["upload-identity", "root-alone"])
def test_seaweedfs_refuses_the_attack_to_either_identity(seaweed: SeaweedFS, upload: tuple[str, str] | None) -> None:
    """It refuses headers that are not signed, as AWS does: there one key for everything is safe."""
    where = seaweed.settings(upload=upload)
    finding = probe_write_addresses(where)
    assert finding.safe, json.dumps(vars(finding))
    assert finding.not_tried == []
    assert is_empty(where)


@pytest.mark.slow
def test_seaweedfs_an_identity_that_may_not_put_is_found(seaweed: SeaweedFS) -> None:
    finding = probe_write_addresses(seaweed.settings(upload=("upload", "another-secret")))
    assert finding.not_written == KINDS


def test_of_a_plain_put_the_embedded_storage_makes_whatever_the_sender_likes(embedded: StorageSettings) -> None:
    """Why every address is for a part. Should this fail, storage has learnt to ask who may write there."""
    store, tar = Bucket(embedded), snowball("uploads/sh/new")
    signed = {"content-length": str(len(tar)), "content-type": "image/png"}
    url = presign(embedded.upload_signer, "PUT", "staging/image", {}, timedelta(minutes=1), headers=signed)
    assert unpacking(url, tar, "image/png") == 200
    assert [found.key for found in store.objects("")] == ["uploads/sh/new"]
