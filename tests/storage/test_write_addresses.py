"""Addresses that clients get: who signed each, what they take, and that none of them can be turned into a copy. On the
embedded storage and on SeaweedFS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3
from flask import Flask
from flask.testing import FlaskClient

from app.config.settings import Settings
from app.config.storage_settings import StorageSettings
from app.storage.bucket import Bucket, bucket
from app.storage.url_signing import presign
from app.storage.write_address_probe import Finding, probe_write_addresses
from app.uploads.resumable.archive_check import Outcome, examine
from tests.app.api.calling import body, refused
from tests.app.api.v1.calling import Studio, answered
from tests.app.api.v1.calling import put as put_image
from tests.app.api.v1.calling import refused as nested
from tests.app.images.images import picture
from tests.app.uploads.resumable.rows import builds, is_clean, objects, row
from tests.app.uploads.resumable.sending import MIB, Sender, put, put_parts
from tests.conftest import Cast, bearer
from tests.game_archives import big_archive, game_archive
from tests.storage.seaweed import UPLOAD, SeaweedFS
from tests.storage.snowballs import snowball, unpacking

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

A_MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["embedded", pytest.param("seaweedfs", marks=pytest.mark.slow)])
def where(request: pytest.FixtureRequest, settings: Settings) -> Iterator[StorageSettings]:
    """The storage of `app`: each kind in turn."""
    if request.param == "embedded":
        yield settings.storage_settings
        return
    seaweed: SeaweedFS = request.getfixturevalue("seaweed")
    yield seaweed.settings(upload=UPLOAD)
    store = Bucket(seaweed.settings(upload=None))
    for transfer in store.open_multiparts(""):
        store.abort_multipart(transfer.key, transfer.multipart_id)
    store.delete(found.key for found in store.objects(""))


@pytest.fixture
def app(app: Flask, where: StorageSettings) -> Flask:
    """The app of every test, on that storage."""
    own: Settings = app.config["SLIPWAY"]
    app.config["SLIPWAY"] = own.model_copy(update={"storage": where})
    app.extensions["slipway_bucket"] = Bucket(where)
    return app


@pytest.fixture
def sender(client: FlaskClient, cast: Cast) -> Sender:
    sender = Sender(client, cast.starlight.key)
    assert sender.register().status_code == 201
    return sender


@pytest.fixture
def studio(client: FlaskClient, cast: Cast) -> Studio:
    studio = Studio(client, cast.starlight.key)
    studio.new_game("Paper Boats")
    return studio


@pytest.fixture
def victim(client: FlaskClient, cast: Cast) -> str:
    """The key of another partner's archive of more than 6 MB, as it stands in a download address."""
    moonbase = Sender(client, cast.moonbase.key)
    assert moonbase.register().status_code == 201
    assert body(moonbase.send(big_archive(6 * MIB)))["released"]
    (key,) = objects()
    return key


def signer(url: str) -> str:
    """The access key that signed an address."""
    return parse_qs(urlsplit(url).query)["X-Amz-Credential"][0].partition("/")[0]


def copying(url: str, source: str, size: int, **headers: str) -> int:
    """The PUT that the address is for, turned into a copy; the status."""
    more = {"x-amz-copy-source": source, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return urllib3.request("PUT", url, body=bytes(size), headers=more, retries=False).status


def test_every_address_is_signed_by_the_identity_that_it_is_for(
    app: Flask, sender: Sender, studio: Studio, cast: Cast, where: StorageSettings
) -> None:
    """What may be written to, the upload identity signs; the app's own key signs nothing but reads of one object."""
    archive = game_archive()
    upload = sender.begun(archive)
    for_writing = {
        "begin an upload": upload["urls"][0]["url"],
        "ask for parts": body(sender.sign(upload["id"], 1))["urls"][0]["url"],
        "presign an image": answered(studio.presign(picture()))["signedUrl"],
    }
    assert body(sender.send(archive))["released"]
    as_json = {"Accept": "application/json"}
    download = body(sender.ask("GET", "/api/partners/games/paper-lanterns/builds/1/download", as_json))
    plan = sender.client.get("/api/servers/self/plan", headers=bearer(cast.servers["srv-01"])).json
    for_reading = {"download a build": download["url"], "a server's plan": _archive_url(plan)}

    assert {name: signer(url) for name, url in for_writing.items()} == dict.fromkeys(
        for_writing, where.upload_access_key
    )
    assert {name: signer(url) for name, url in for_reading.items()} == dict.fromkeys(for_reading, where.access_key)
    for url in for_reading.values():
        key = urlsplit(url).path.removeprefix(f"/{where.bucket}/")
        assert key in objects()
        assert [urllib3.request(method, url, retries=False).status for method in ("PUT", "DELETE")] == [403, 403]


def _archive_url(plan: Any) -> str:
    (build,) = plan["builds"]
    url: str = build["archiveUrl"]
    return url


def test_an_address_for_a_part_cannot_be_turned_into_a_copy(
    app: Flask, sender: Sender, victim: str, where: StorageSettings
) -> None:
    archive = game_archive()
    upload = sender.begun(archive)
    url = upload["urls"][0]["url"]
    for source in (f"/{where.bucket}/{victim}", f"{where.bucket}/{victim}", "/.minio.sys/config/config.json"):
        assert copying(url, source, len(archive)) in {400, 403}
        spans = f"bytes=0-{len(archive) - 1}"
        assert copying(url, source, len(archive), x_amz_copy_source_range=spans) in {400, 403}
    assert sender.state(upload["id"])["parts"] == []

    put_parts(upload, archive)
    body(sender.complete(upload["id"]))
    assert examine(upload["id"]) is Outcome.DONE
    assert is_clean()


def test_six_megabytes_do_not_enter_an_upload_of_five_bytes(
    app: Flask, sender: Sender, victim: str, where: StorageSettings
) -> None:
    upload = sender.begun(b"12345")
    url = upload["urls"][0]["url"]
    assert copying(url, f"/{where.bucket}/{victim}", 5) in {400, 403}
    assert put(url, bytes(6 * MIB)) == 403
    assert sender.state(upload["id"])["parts"] == []


def test_what_storage_took_all_the_same_is_not_joined(
    app: Flask, sender: Sender, victim: str, where: StorageSettings
) -> None:
    """The second line: a part that is larger than announced, put there past every address."""
    upload = sender.begun(b"12345")
    stored = row(upload["id"])
    assert stored is not None
    query = {"uploadId": stored.multipart_id or "", "partNumber": "1"}
    forged = presign(where, "PUT", stored.object_key, query, A_MINUTE)
    assert put(forged, bytes(6 * MIB)) == 200
    message = refused(sender.complete(upload["id"]), 400, "invalid_request")
    assert "6,291,456 bytes; it must have 5" in message
    assert objects() == [victim]


def test_an_address_for_an_image_cannot_be_turned_into_a_copy(
    app: Flask, studio: Studio, victim: str, where: StorageSettings
) -> None:
    data = picture()
    presigned = answered(studio.presign(data))
    for source in (f"/{where.bucket}/{victim}", "/.minio.sys/config/config.json"):
        assert copying(presigned["signedUrl"], source, len(data), content_type="image/png") in {400, 403}
    assert "Nothing has been uploaded" in nested(studio.confirm(presigned, data), 400, "VALIDATION_ERROR")

    assert put_image(presigned["signedUrl"], data, "image/png") == 200
    assert answered(studio.confirm(presigned, data)) == {"ok": True}
    assert studio.client.get(presigned["publicUrl"]).data == data


def test_no_address_writes_any_object_but_its_own(
    app: Flask, sender: Sender, studio: Studio, victim: str, where: StorageSettings
) -> None:
    """A plain PUT would (tests/storage/test_write_address_probe.py)."""
    before = urllib3.request("GET", bucket().agent_url(victim, A_MINUTE)).data
    tar = snowball(victim, "archives/new", "staging/new", "uploads/sh/new", "new")
    unpacking(sender.begun(tar)["urls"][0]["url"], tar)
    unpacking(answered(studio.presign(tar))["signedUrl"], tar, "image/png")
    assert [found.key for found in bucket().objects("")] == [victim]
    assert urllib3.request("GET", bucket().agent_url(victim, A_MINUTE)).data == before


def test_the_key_of_another_partners_archive_gives_nothing(
    app: Flask, sender: Sender, studio: Studio, victim: str, where: StorageSettings
) -> None:
    """Keys are not secrets: whoever knows one can do no more than before."""
    plain = f"{where.endpoint}/{where.bucket}/{victim}"
    assert urllib3.request("GET", plain, retries=False).status == 403
    upload = sender.begun(game_archive())
    mine = [upload["urls"][0]["url"], answered(studio.presign(picture()))["signedUrl"]]
    sender.send(game_archive())
    mine.append(_download(sender))
    for url in mine:
        theirs = urlsplit(url)._replace(path=f"/{where.bucket}/{victim}").geturl()
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            assert urllib3.request(method, theirs, body=b"", retries=False).status in {400, 403}
    for path in (f"/{victim}", f"/uploads/sh/../../{victim}", f"/uploads/sh/{victim}"):
        assert sender.client.get(path).status_code == 404
    confirmed = {"key": victim, "publicUrl": f"http://localhost/{victim}", "byteSize": 5, "contentType": "image/png"}
    assert studio.at("POST", "/assets/upload-complete", json=confirmed).status_code == 400
    assert [build.object_key for build in builds()].count(victim) == 1


def _download(sender: Sender) -> str:
    answer = sender.ask("GET", "/api/partners/games/paper-lanterns/builds/1/download", {"Accept": "application/json"})
    url: str = body(answer)["url"]
    return url


def test_the_upload_identity_reads_nothing(app: Flask, victim: str, where: StorageSettings) -> None:
    as_uploader = where.upload_signer
    asked = [
        ("GET", victim, {}),
        ("HEAD", victim, {}),
        ("GET", "", {"list-type": "2"}),
        ("GET", "", {"uploads": ""}),
        ("DELETE", victim, {}),
        ("PUT", "uploads/sh/anything", {}),
        ("GET", "", {"policy": ""}),
    ]
    for method, key, query in asked:
        url = presign(as_uploader, method, key, query, A_MINUTE)
        assert urllib3.request(method, url, retries=False).status == 403, (method, key, query)
    assert bucket().stat(victim) is not None


def test_the_probe_of_this_storage_finds_it_safe(app: Flask, where: StorageSettings) -> None:
    assert probe_write_addresses(where) == Finding()
