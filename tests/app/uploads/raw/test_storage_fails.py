"""Storage that is gone before, during and at the end of an upload, or loses single requests: nothing is acknowledged
that is not stored, nothing is left over, and a hiccup costs a moment."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app import create_app
from app.accounts.keys import create_key
from app.accounts.partners import create_partner
from app.config.settings import MIB, Settings
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.upload import Upload
from app.maintenance.build_sweep import check, sweep
from app.storage.bucket import bucket
from app.storage.embedded_server import EmbeddedStorage, StorageAccess
from app.storage.part_writer import PART
from tests.app.runtime.processes import free_port
from tests.app.uploads.raw.live import sha256_of
from tests.app.uploads.raw.proxy import FaultyNetwork
from tests.conftest import CAST, GAME, Cast, bearer, settings_for
from tests.game_archives import big_archive, game_archive

pytestmark = pytest.mark.slow
GAMES = "/api/partners/games"


@pytest.fixture(scope="module")
def network(storage: StorageAccess) -> Iterator[FaultyNetwork]:
    network = FaultyNetwork(storage.endpoint)
    yield network
    network.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path, storage: StorageAccess, network: FaultyNetwork) -> Settings:
    """Those of `app`, with storage behind the network that fails."""
    network.come_back()
    behind = replace(storage, endpoint=network.endpoint)
    return settings_for(tmp_path / "instance", behind, DATABASE_URL=database_url)


@pytest.fixture(scope="module")
def archive() -> bytes:
    """Of two parts."""
    return big_archive(PART + 2 * MIB)


class Watched(io.BytesIO):
    """A body that tells when it has been read so far."""

    def __init__(self, data: bytes, at: int, then: Callable[[], object]) -> None:
        super().__init__(data)
        self._at, self._then, self._told = at, then, False

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if not self._told and self.tell() >= self._at:
            self._told = True
            self._then()
        return data


@dataclass
class Studio:
    client: FlaskClient
    key: str
    first: bytes

    def send(self, body: bytes | Watched, length: int | None = None) -> TestResponse:
        return self.client.put(
            f"{GAMES}/paper-lanterns/upload",
            input_stream=io.BytesIO(body) if isinstance(body, bytes) else body,
            content_length=len(body) if isinstance(body, bytes) else length,
            headers=bearer(self.key) | {"Content-Type": "application/gzip"},
        )


@pytest.fixture
def studio(app: Flask, client: FlaskClient, cast: Cast) -> Iterator[Studio]:
    """A studio whose game has one build, which must be whole in the end."""
    studio = Studio(client, cast.starlight.key, game_archive())
    client.post(GAMES, json=GAME, headers=bearer(studio.key))
    assert studio.send(studio.first).status_code == 200
    yield studio
    build = db.session.scalars(select(Build).where(Build.number == 1)).one()
    assert sha256_of(build.object_key) == build.sha256 == hashlib.sha256(studio.first).hexdigest()


def refusals() -> list[str]:
    rows = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.refused")).all()
    return [row.details["code"] for row in rows]


def is_clean() -> bool:
    found = check()
    uploads = db.session.scalars(select(Upload.id)).all()
    db.session.rollback()
    return not (uploads or found.missing or found.orphans or found.transfers or bucket().open_multiparts("archives/"))


def refused_for_want_of_storage(answer: TestResponse) -> None:
    assert (answer.status_code, answer.get_json()["error"]) == (503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "127.0.0.1" not in answer.text, "no address is shown"
    assert refusals() == ["service_unavailable"]


def test_storage_that_is_away_from_the_start(app: Flask, studio: Studio, network: FaultyNetwork) -> None:
    network.go_down()
    refused_for_want_of_storage(studio.send(game_archive(seed=2)))
    network.come_back()
    sweep()
    assert is_clean()
    assert studio.send(game_archive(seed=2)).get_json()["build"] == 2


@pytest.mark.parametrize("place", ["in the first part", "in the second part", "at the end"])
def test_storage_that_goes_away_meanwhile(
    app: Flask, studio: Studio, network: FaultyNetwork, archive: bytes, place: str
) -> None:
    at = {"in the first part": 4 * MIB, "in the second part": PART + MIB, "at the end": len(archive)}[place]
    refused_for_want_of_storage(studio.send(Watched(archive, at, network.go_down), len(archive)))
    network.come_back()
    assert sweep().uploads == 1, "at once: it was marked as going, so nobody waits for it to look dead"
    assert is_clean()
    assert studio.send(archive).get_json()["build"] == 2


def test_storage_that_is_stopped_and_started_again(database_url: str, tmp_path: Path, archive: bytes) -> None:
    """The real program ends in the midst of an upload."""
    own = EmbeddedStorage(tmp_path / "own-storage", port=free_port())
    app = create_app(settings_for(tmp_path / "instance", own.start(), DATABASE_URL=database_url))
    try:
        with app.app_context():
            _, key = create_key(create_partner("Starlight Studio", CAST), "CI", ["read", "write", "upload"], CAST)
            studio = Studio(app.test_client(), key, b"")
            app.extensions["slipway_bucket"].make()
            studio.client.post(GAMES, json=GAME, headers=bearer(studio.key))
            refused_for_want_of_storage(studio.send(Watched(archive, PART + MIB, own.stop), len(archive)))
            own.start()
            sweep()
            assert is_clean()
            assert studio.send(archive).status_code == 200
            db.session.remove()
            db.engine.dispose()
    finally:
        own.stop()


@pytest.mark.parametrize("lost", ["request", "body", "answer"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_part_that_is_lost_once_is_sent_again(
    app: Flask, studio: Studio, network: FaultyNetwork, archive: bytes, number: int, lost: str
) -> None:
    struck = network.struck
    network.lose(lost, "PUT", f"partNumber={number}")  # type: ignore[arg-type]  # one of three words
    answer = studio.send(archive)
    assert network.struck == struck + 1
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["checksum"] == f"sha256:{hashlib.sha256(archive).hexdigest()}"
    build = db.session.scalars(select(Build).where(Build.number == 2)).one()
    assert sha256_of(build.object_key) == build.sha256
    assert is_clean()


def test_a_part_that_is_lost_again_and_again_ends_the_upload(
    app: Flask, studio: Studio, network: FaultyNetwork, archive: bytes
) -> None:
    network.lose("body", "PUT", "partNumber=1", times=99)
    refused_for_want_of_storage(studio.send(archive))
    assert is_clean(), "storage answers everything else, so it was tidied up at once"


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_completion_that_is_lost_once_costs_nothing(
    app: Flask, studio: Studio, network: FaultyNetwork, archive: bytes, lost: str
) -> None:
    struck = network.struck
    network.lose(lost, "POST", "uploadId=")  # type: ignore[arg-type]  # one of two words
    assert studio.send(archive).status_code == 200
    assert network.struck == struck + 1
    build = db.session.scalars(select(Build).where(Build.number == 2)).one()
    assert sha256_of(build.object_key) == build.sha256
    assert is_clean()


def test_a_completion_that_never_arrives_ends_the_upload(
    app: Flask, studio: Studio, network: FaultyNetwork, archive: bytes
) -> None:
    network.lose("request", "POST", "uploadId=", times=99)
    refused_for_want_of_storage(studio.send(archive))
    assert is_clean()


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_beginning_that_is_lost_leaves_no_open_transfer(
    app: Flask, studio: Studio, network: FaultyNetwork, lost: str
) -> None:
    network.lose(lost, "POST", "uploads=")  # type: ignore[arg-type]  # one of two words
    refused_for_want_of_storage(studio.send(game_archive(seed=2)))
    assert is_clean()


def test_what_cannot_be_taken_back_is_swept_when_storage_answers_again(
    app: Flask, studio: Studio, network: FaultyNetwork, archive: bytes
) -> None:
    network.lose("request", "DELETE", "uploadId=", times=1)
    answer = studio.send(b"PK\x03\x04 this is a zip")
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_archive")
    assert not is_clean()
    assert sweep().uploads == 1
    assert is_clean()


def test_transfers_that_no_row_knows_are_found_and_dropped(app: Flask, studio: Studio) -> None:
    bucket().start_multipart("archives/from-before-the-backup.tar.gz")
    assert check().transfers == ["archives/from-before-the-backup.tar.gz"]
    sweep()
    assert not is_clean(), "younger than an hour: its row might be on its way"
    sweep(young=timedelta(seconds=-5))
    assert is_clean()


def test_a_sweep_of_an_upload_that_turns_out_to_be_alive_leaves_it(app: Flask, studio: Studio, archive: bytes) -> None:
    answer = studio.send(Watched(archive, PART + MIB, sweep), len(archive))
    assert answer.status_code == 200, answer.text
    assert is_clean()


def test_an_upload_that_was_swept_is_not_acknowledged(app: Flask, studio: Studio, archive: bytes) -> None:
    """Its process was away for so long that it was taken for dead: its object may be gone, so it becomes no build."""

    def swept() -> None:
        with app.app_context():
            with writing() as session:
                for upload in session.scalars(select(Upload)):
                    upload.touched_at = now() - timedelta(hours=1)
            assert sweep().uploads == 1

    answer = studio.send(Watched(archive, len(archive), swept), len(archive))
    assert answer.status_code in {400, 503}, answer.text
    assert db.session.scalars(select(Build.number)).all() == [1]
    assert is_clean()
