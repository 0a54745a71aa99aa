"""flask doctor: each check with its result, and exit code 1 when one fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import urllib3
from flask import Flask

from app.config.settings import Settings
from app.config.storage_settings import StorageSettings
from app.storage.bucket import Bucket
from app.storage.url_signing import presign
from tests.app.runtime.commands.conftest import Shell
from tests.app.runtime.processes import free_port
from tests.slipway.agent.raw_server import RawServer
from tests.storage.conftest import seaweed as seaweed
from tests.storage.seaweed import UPLOAD, SeaweedFS

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
STORAGE = ["storage", "direct uploads", "upload identity", "storage CORS"]


class Doctor:
    """What it says of one storage after the other."""

    def __init__(self, app: Flask, shell: Shell) -> None:
        self._app, self._shell = app, shell

    def asked(self, change: Callable[[StorageSettings], StorageSettings], **more: object) -> tuple[int, dict[str, str]]:
        """The exit code, and the check's name → its state and text."""
        own: Settings = self._app.config["SLIPWAY"]
        storage = change(own.storage_settings)
        self._app.config["SLIPWAY"] = own.model_copy(update={"storage": storage} | more)
        self._app.extensions["slipway_bucket"] = Bucket(storage)
        result = self._shell.run("doctor")
        *lines, total = result.stdout.splitlines()
        states = [line.split()[0] for line in lines]
        assert total == f"{len(lines)} checks, {states.count('failed')} failed."
        for secret in (storage.secret_key, storage.upload_secret_key or "no secret"):
            assert secret not in result.output
        names = [line[9:].partition(": ") for line in lines]
        return result.exit_code, {name: f"{state} {text}" for state, (name, _, text) in zip(states, names, strict=True)}


@pytest.fixture
def doctor(app: Flask, shell: Shell) -> Doctor:
    return Doctor(app, shell)


def unchanged(where: StorageSettings) -> StorageSettings:
    return where


def root_alone(where: StorageSettings) -> StorageSettings:
    return replace(where, upload_access_key=None, upload_secret_key=None)


def is_clean(where: StorageSettings) -> bool:
    store = Bucket(where)
    return not (list(store.objects("")) or store.open_multiparts(""))


def test_the_embedded_storage_is_safe(app: Flask, doctor: Doctor) -> None:
    _, said = doctor.asked(unchanged)
    assert set(STORAGE) <= set(said)
    assert said["storage"].startswith("ok The bucket 'test-")
    assert said["direct uploads"] == "ok Addresses for writing work, and cannot be turned into copies."
    assert said["upload identity"].startswith("ok ")
    assert is_clean(app.config["SLIPWAY"].storage_settings)


def test_one_key_for_everything_is_found_and_what_to_set_is_said(app: Flask, doctor: Doctor) -> None:
    code, said = doctor.asked(root_alone)
    assert code == 1
    assert said["direct uploads"].startswith("failed A client can turn an address for writing into a copy")
    assert "set S3_UPLOAD_ACCESS_KEY and S3_UPLOAD_SECRET_KEY" in said["direct uploads"]
    assert "another bucket" in said["direct uploads"]
    assert said["upload identity"].startswith("skipped S3_UPLOAD_ACCESS_KEY is not set")
    assert is_clean(app.config["SLIPWAY"].storage_settings)


def test_an_identity_that_may_do_more_is_found(app: Flask, doctor: Doctor) -> None:
    code, said = doctor.asked(
        lambda where: replace(where, upload_access_key=where.access_key, upload_secret_key=where.secret_key)
    )
    assert code == 1
    assert said["upload identity"].startswith(
        "failed The identity of S3_UPLOAD_ACCESS_KEY can read objects, list the bucket, put objects elsewhere, delete "
        "objects."
    )
    assert is_clean(app.config["SLIPWAY"].storage_settings)


def test_storage_that_is_away_fails_every_check_but_stops_none(doctor: Doctor) -> None:
    code, said = doctor.asked(
        lambda where: replace(where, endpoint=f"http://127.0.0.1:{free_port()}", public_endpoint="http://127.0.0.1:9")
    )
    assert code == 1
    assert [said[name].split()[0] for name in STORAGE] == ["failed", "failed", "failed", "skipped"]


def test_without_storage_it_says_what_to_set(app: Flask, shell: Shell) -> None:
    app.config["SLIPWAY"] = app.config["SLIPWAY"].model_copy(update={"storage": None})
    result = shell.run("doctor")
    assert result.exit_code == 1
    assert "S3_ENDPOINT is not set" in result.stdout
    assert "Traceback" not in result.output


def test_cors_that_names_everybody_is_found(doctor: Doctor) -> None:
    """The storage of the tests lets every page in, as MinIO does until it is told otherwise."""
    code, said = doctor.asked(unchanged, base_url="https://builds.starlight.example")
    assert code == 1
    assert said["storage CORS"].startswith("failed Storage lets pages of every origin send and read.")
    assert "Name https://builds.starlight.example, and no other" in said["storage CORS"]


def test_cors_cannot_be_checked_without_knowing_the_portals_origin(doctor: Doctor) -> None:
    _, said = doctor.asked(unchanged, base_url=None, host="0.0.0.0")
    assert said["storage CORS"].startswith("skipped SLIPWAY_BASE_URL is not set")


@pytest.mark.slow
@pytest.mark.parametrize("upload", [UPLOAD, None], ids=["upload-identity", "root-alone"])
def test_seaweedfs_is_safe_with_either_key(doctor: Doctor, seaweed: SeaweedFS, upload: tuple[str, str] | None) -> None:
    origin = "https://builds.starlight.example"
    where = seaweed.settings(upload=upload)
    _allow(where, origin)
    code, said = doctor.asked(lambda _: where, base_url=origin)
    assert said["direct uploads"].startswith("ok ")
    assert said["upload identity"].split()[0] == ("ok" if upload else "skipped")
    assert said["storage CORS"] == f"ok Storage lets pages of {origin} send files, and no others."
    assert [name for name, text in said.items() if text.startswith("failed")] == ["proxy"]  # there is none
    assert code == 1
    _, said = doctor.asked(lambda _: where, base_url=None, host="127.0.0.1", port=8066)
    assert said["storage CORS"].startswith("failed Storage does not let pages of http://127.0.0.1:8066")
    assert said["storage CORS"].endswith("the PORT or SLIPWAY_BASE_URL that its web server has.")
    assert is_clean(where)


def _allow(where: StorageSettings, origin: str) -> None:
    """The CORS rule of docs/storage.md."""
    rule = (
        f"<CORSConfiguration><CORSRule><AllowedOrigin>{origin}</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>"
        "<AllowedMethod>GET</AllowedMethod><AllowedHeader>Content-Type</AllowedHeader></CORSRule></CORSConfiguration>"
    )
    url = presign(where, "PUT", "", {"cors": ""}, timedelta(minutes=1))
    assert urllib3.request("PUT", url, body=rule.encode(), retries=False).status == 200


@pytest.mark.parametrize("body", [b"<h1>It works!</h1>", b"[]", b'{"scheme": "http"}', b"[" * 100_000])
def test_another_program_at_the_base_url_is_named(doctor: Doctor, body: bytes) -> None:
    """Many programs answer 200 to every path."""
    with RawServer() as other:
        other.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        _, found = doctor.asked(unchanged, base_url=other.url)
    assert found["proxy"] == f"failed {other.url} leads to another program, not to this portal."
