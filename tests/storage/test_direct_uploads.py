"""Addresses for writing are handed out only where they are safe; otherwise it is said in words, and what goes through
the app still works."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import urllib3
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.config.settings import Settings
from app.config.storage_settings import StorageSettings
from app.data.extensions import db
from app.data.models.asset import StagedAsset
from app.data.models.game import Game
from app.data.models.partner import App
from app.data.models.upload import Upload
from app.images.intake.image_receiver import receive_image
from app.storage import direct_uploads as checking
from app.storage.availability import storage_status
from app.storage.bucket import Bucket, bucket
from app.storage.direct_uploads import DirectUploads, DirectUploadsOff
from app.storage.embedded_server import EmbeddedStorage, StorageAccess
from app.storage.write_address_probe import Finding, probe_write_addresses
from tests.app.api.calling import body, refused
from tests.app.api.v1.calling import Studio, answered, put
from tests.app.api.v1.calling import refused as nested
from tests.app.images.images import picture
from tests.app.runtime.processes import free_port, wait_until
from tests.app.uploads.raw.live import Gunicorn, world_on_sqlite
from tests.app.uploads.resumable.rows import objects, transfers
from tests.app.uploads.resumable.sending import Sender, put_parts
from tests.conftest import CAST, Cast, bearer, settings_for
from tests.game_archives import game_archive

COPIES = Finding(copied=["an image from this bucket"])
sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def told(app: Flask, finding: Finding) -> None:
    """As if the probe had just found this."""
    app.extensions["slipway_direct_uploads"].learn(finding)


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


@sqlite
@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (COPIES, "would let clients copy other files with an upload address"),
        (Finding(oversized=["an image"]), "would accept more than was announced"),
        (Finding(unpacked=["an image"]), "would accept more than was announced"),
        (Finding(not_written=["an image"]), "refuses files from the identity"),
    ],
)
def test_where_addresses_are_not_safe_none_is_handed_out_and_it_is_said_why(
    app: Flask, sender: Sender, studio: Studio, finding: Finding, words: str
) -> None:
    told(app, finding)
    answer = sender.begin(game_archive())
    message = refused(answer, 503, "service_unavailable")
    assert words in message
    assert "flask doctor" in message
    assert "PUT /api/partners/games/{slug}/upload" in message
    assert (
        int(answer.headers["Retry-After"]) >= 120
    )  # longer than the dashboard and the command line wait by themselves
    assert words in nested(studio.presign(picture()), 502, "INTERNAL_ERROR")

    db.session.rollback()
    rows = [db.session.scalar(select(func.count()).select_from(table)) for table in (Upload, StagedAsset)]
    assert (rows, transfers(), objects()) == ([0, 0], [], [])


@sqlite
def test_what_goes_through_the_app_works_all_the_same(app: Flask, sender: Sender, studio: Studio, cast: Cast) -> None:
    told(app, COPIES)
    assert body(sender.send(game_archive()))["released"]
    game = db.session.get_one(Game, studio.game_id)
    app_id = db.session.scalars(select(App.id).where(App.partner_id == cast.starlight.partner_id)).first()
    assert app_id is not None
    assert receive_image(game, app_id, io.BytesIO(picture()), "card.png", CAST)


@sqlite
def test_nothing_is_joined_while_a_part_may_be_a_copy(app: Flask, sender: Sender, studio: Studio) -> None:
    """Its addresses were handed out while storage was safe."""
    archive = game_archive()
    upload = sender.begun(archive)
    put_parts(upload, archive)
    presigned = answered(studio.presign(picture()))
    assert put(presigned["signedUrl"], picture(), "image/png") == 200
    told(app, COPIES)
    assert "copy other files" in nested(studio.confirm(presigned, picture()), 502, "INTERNAL_ERROR")
    assert list(bucket().objects("staging/")) == []
    assert "copy other files" in refused(sender.complete(upload["id"]), 503, "service_unavailable")
    refused(sender.sign(upload["id"], 1), 503, "service_unavailable")
    assert sender.state(upload["id"])["phase"] == "uploading"
    assert objects() == []
    told(app, Finding())
    assert answered(studio.confirm(presigned, picture())) == {"ok": True}
    assert body(sender.complete(upload["id"]))["phase"] == "checking"


class Gateway:
    """A storage that can be away."""

    def __init__(self, directory: Path) -> None:
        self._storage = EmbeddedStorage(directory, port=free_port())
        self.access: StorageAccess = self._storage.start()

    def stop(self) -> None:
        self._storage.stop(1)

    def start(self) -> None:
        self._storage.start()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path / "storage")
    yield gateway
    gateway.stop()


@pytest.fixture
def away(gateway: Gateway, tmp_path: Path) -> Settings:
    """Settings of a storage that has just stopped."""
    found = settings_for(tmp_path / "instance", gateway.access)
    Bucket(found.storage_settings).make()
    gateway.stop()
    return found


def test_what_is_not_known_counts_as_unsafe_until_storage_answers(
    gateway: Gateway, away: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "RETRY_SECONDS", 0)
    uploads = DirectUploads(away.storage_settings)
    with pytest.raises(DirectUploadsOff, match="Storage did not answer"):
        uploads.require()
    gateway.start()
    uploads.require()
    gateway.stop()
    uploads.require()  # what is known stays known while storage is away


def test_while_storage_is_away_only_one_request_in_a_while_waits_for_it(
    away: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[StorageSettings] = []

    def counted(where: StorageSettings) -> Finding:
        tries.append(where)
        return probe_write_addresses(where)

    monkeypatch.setattr("app.storage.direct_uploads.probe_write_addresses", counted)
    uploads = DirectUploads(away.storage_settings)
    for _ in range(5):
        with pytest.raises(DirectUploadsOff):
            uploads.require()
    assert len(tries) == 1


def test_an_unsafe_storage_is_looked_at_again_in_the_background(
    storage: StorageAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator mends it, and nobody restarts anything."""
    where = settings_for(tmp_path / "instance", storage).storage_settings
    Bucket(where).make()
    monkeypatch.setattr(checking, "RECHECK_SECONDS", 0)
    uploads = DirectUploads(where)
    uploads.learn(COPIES)
    with pytest.raises(DirectUploadsOff):
        uploads.require()
    wait_until(lambda: _allowed(uploads), 30, "addresses are handed out again")


def test_a_safe_storage_is_looked_at_again_after_an_outage(storage: StorageAccess, tmp_path: Path) -> None:
    """Another may have come back than went away."""
    where = settings_for(tmp_path / "instance", storage).storage_settings
    Bucket(where).make()
    alone = replace(where, upload_access_key=None, upload_secret_key=None)
    uploads = DirectUploads(alone)
    uploads.learn(Finding())
    uploads.require()
    storage_status.record(answered=False)
    storage_status.record(answered=True)
    wait_until(lambda: not _allowed(uploads), 30, "addresses are not handed out any more")


def _allowed(uploads: DirectUploads) -> bool:
    try:
        uploads.require()
    except DirectUploadsOff:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("safe", [True, False], ids=["upload-identity", "root-alone"])
def test_a_server_finds_out_as_it_starts(
    tmp_path: Path, empty_sqlite: Path, storage: StorageAccess, safe: bool
) -> None:
    with world_on_sqlite(tmp_path / "instance", empty_sqlite, storage) as world:
        settings = world.settings
        if not safe:
            alone = replace(settings.storage_settings, upload_access_key=None, upload_secret_key=None)
            settings = settings.model_copy(update={"storage": alone})
        slug = world.new_game()
        server = Gunicorn(settings, tmp_path / "gunicorn.log")
        try:
            server.start()
            answer = urllib3.request(
                "POST",
                f"{server.address}/api/partners/games/{slug}/uploads",
                json={"fileName": "a.tar.gz", "size": 5},
                headers=bearer(world.key),
            )
        finally:
            server.kill()
        log = server.log.read_text()
    said = "nothing may be sent straight to storage" in log and "S3_UPLOAD_ACCESS_KEY" in log
    assert (answer.status, said) == ((201, False) if safe else (503, True))
    assert storage.upload_secret_key not in log


def test_a_finding_lasts_and_costs_no_request(storage: StorageAccess, tmp_path: Path) -> None:
    """A presigned address is arithmetic again once it is known to be safe."""
    where = settings_for(tmp_path / "instance", storage).storage_settings
    Bucket(where).make()
    uploads = DirectUploads(where)
    uploads.require()
    uploads._where = replace(where, endpoint=f"http://127.0.0.1:{free_port()}")  # it would fail if it asked
    for _ in range(100):
        uploads.require()
