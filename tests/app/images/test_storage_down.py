"""Storage stops at every step: the documented envelope, nothing half-done, and the same call works once it is back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.config.settings import Settings
from app.data.database import writing
from app.data.extensions import db
from app.data.models.asset import Asset, Blob, StagedAsset
from app.data.models.base import now
from app.images.image_quota import asset_quota, settle
from app.images.variant_jobs import derive, due_derivations
from app.maintenance.image_check import check_assets
from app.maintenance.image_sweep import sweep_assets
from app.refusals import Unavailable
from app.storage.bucket import bucket
from app.storage.embedded_server import EmbeddedStorage, StorageAccess
from tests.app.api.v1.calling import Studio, answered, put, refused
from tests.app.api.v1.test_components import face, save
from tests.app.images.images import picture
from tests.app.runtime.processes import free_port
from tests.conftest import Cast, settings_for

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

DATA = picture(300, 420)


class Gateway:
    """A storage server that tests stop. It comes back at the address where it was."""

    def __init__(self, directory: Path) -> None:
        self._storage = EmbeddedStorage(directory, port=free_port())
        self.access: StorageAccess = self._storage.start()

    def stop(self) -> None:
        self._storage.stop()

    def start(self) -> None:
        assert self._storage.start() == self.access

    @property
    def is_stopped(self) -> bool:
        return self._storage.process is None or self._storage.process.poll() is not None

    def stop_at(self, monkeypatch: pytest.MonkeyPatch, module: str, point: str) -> None:
        """Stop when the app comes to a named point (app/process/crash_points.py) for the first time."""
        passed: list[str] = []

        def stop_once(name: str) -> None:
            if name == point and not passed:
                passed.append(name)
                self.stop()

        monkeypatch.setattr(f"{module}.crash_point", stop_once)


@pytest.fixture(scope="module")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("storage"))
    yield gateway
    gateway.stop()


@pytest.fixture
def gateway(shared_gateway: Gateway) -> Gateway:
    """Running. Each test has a bucket of its own in it."""
    if shared_gateway.is_stopped:
        shared_gateway.start()
    return shared_gateway


@pytest.fixture
def settings(gateway: Gateway, tmp_path: Path, database_url: str) -> Settings:
    return settings_for(tmp_path / "instance", gateway.access, DATABASE_URL=database_url)


def rows() -> dict[str, int]:
    db.session.rollback()
    return {
        table.__tablename__: db.session.scalar(select(func.count()).select_from(table)) or 0
        for table in (Asset, Blob, StagedAsset)
    }


def used(cast: Cast) -> tuple[int, int]:
    db.session.rollback()
    with writing() as session:
        assert settle(session, cast.starlight.partner_id) == 0
    quota = asset_quota(db.session(), cast.starlight.partner_id)
    return quota.used, quota.reserved


def as_if_later(**columns: object) -> None:
    with writing() as session:
        session.execute(update(Blob).values(**columns))
    db.session.rollback()


def test_confirm_while_storage_is_away(studio: Studio, gateway: Gateway, cast: Cast) -> None:
    presigned = answered(studio.presign(DATA))
    put(presigned["signedUrl"], DATA, "image/png")
    gateway.stop()

    answer = studio.confirm(presigned, DATA)

    message = refused(answer, 502, "INTERNAL_ERROR")
    assert "Storage" in message
    assert gateway.access.endpoint not in message
    assert int(answer.headers["Retry-After"]) > 0
    assert rows() == {"assets": 0, "blobs": 0, "staged_assets": 1}
    assert used(cast) == (0, len(DATA))
    gateway.start()
    assert answered(studio.confirm(presigned, DATA)) == {"ok": True}
    assert rows() == {"assets": 1, "blobs": 1, "staged_assets": 0}
    assert used(cast) == (len(DATA), 0)


def test_storage_goes_away_between_the_check_and_the_keeping(
    studio: Studio, gateway: Gateway, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    presigned = answered(studio.presign(DATA))
    put(presigned["signedUrl"], DATA, "image/png")
    gateway.stop_at(monkeypatch, "app.images.intake.confirmation", "asset-verified")

    refused(studio.confirm(presigned, DATA), 502, "INTERNAL_ERROR")

    assert studio.assets() == []
    assert used(cast) == (0, len(DATA))
    assert studio.client.get(presigned["publicUrl"]).status_code == 404
    gateway.start()
    assert answered(studio.confirm(presigned, DATA)) == {"ok": True}
    assert studio.client.get(presigned["publicUrl"]).data == DATA
    assert used(cast) == (len(DATA), 0)


def test_storage_goes_away_after_the_keeping(
    studio: Studio, gateway: Gateway, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    presigned = answered(studio.presign(DATA))
    put(presigned["signedUrl"], DATA, "image/png")
    gateway.stop_at(monkeypatch, "app.images.intake.confirmation", "asset-stored")

    assert answered(studio.confirm(presigned, DATA)) == {"ok": True}

    assert len(studio.assets()) == 1
    gateway.start()
    assert [one.key for one in check_assets().orphans] == [one.key for one in bucket().objects("staging/")] != []
    sweep_assets(timedelta(0), scan=True)
    assert not check_assets().orphans
    assert studio.client.get(presigned["publicUrl"]).data == DATA


def test_a_confirm_that_never_comes_back_leaves_what_the_sweep_removes(
    studio: Studio, gateway: Gateway, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    presigned = answered(studio.presign(DATA))
    put(presigned["signedUrl"], DATA, "image/png")
    gateway.stop_at(monkeypatch, "app.images.intake.confirmation", "asset-verified")
    refused(studio.confirm(presigned, DATA), 502, "INTERNAL_ERROR")
    gateway.start()
    long_ago = now() - timedelta(hours=2)
    as_if_later(unused_since=long_ago, held_at=long_ago)
    with writing() as session:
        session.execute(update(StagedAsset).values(expires_at=long_ago))

    sweep_assets(timedelta(0), scan=True)

    assert rows() == {"assets": 0, "blobs": 0, "staged_assets": 0}
    assert used(cast) == (0, 0)
    assert list(bucket().objects("staging/")) == list(bucket().objects("uploads/")) == []


def test_what_needs_no_storage_works_without_it(studio: Studio, gateway: Gateway, cast: Cast) -> None:
    presigned = studio.upload(DATA)
    gateway.stop()
    save(studio, assets=[face(presigned)])
    (asset,) = studio.assets()
    answered(studio.at("GET", "/components"))
    assert studio.at("DELETE", f"/assets/{asset['id']}").status_code == 204
    assert used(cast)[0] == 0


def test_presigning_while_storage_is_away_reserves_nothing(studio: Studio, gateway: Gateway, cast: Cast) -> None:
    """An address belongs to a transfer, which cannot be opened."""
    open_before = answered(studio.presign(DATA))
    gateway.stop()
    refused(studio.presign(picture(seed=9)), 502, "INTERNAL_ERROR")
    assert (used(cast), rows()["staged_assets"]) == ((0, len(DATA)), 1)
    gateway.start()
    assert put(open_before["signedUrl"], DATA, "image/png") == 200
    assert answered(studio.confirm(open_before, DATA)) == {"ok": True}
    studio.upload(picture(seed=9))


def test_an_image_cannot_be_shown_now_and_the_answer_is_not_kept(
    client: FlaskClient, studio: Studio, gateway: Gateway
) -> None:
    presigned = studio.upload(DATA)
    gateway.stop()
    answer = client.get(presigned["publicUrl"])
    assert answer.status_code == 503
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Retry-After"]
    assert answer.mimetype == "text/plain"
    assert "ETag" not in answer.headers
    gateway.start()
    assert client.get(presigned["publicUrl"]).data == DATA


@pytest.mark.parametrize("when", ["before", "variant-stored"])
def test_sizes_are_made_once_storage_is_back(
    studio: Studio, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    presigned = studio.upload(DATA)
    (blob_id,) = due_derivations(db.session())
    if when == "before":
        gateway.stop()
    else:
        gateway.stop_at(monkeypatch, "app.images.variant_jobs", when)

    derive(blob_id)

    blob = db.session.get_one(Blob, blob_id)
    assert (blob.derivation, blob.derive_attempts) == ("pending", 0)
    assert list(due_derivations(db.session())) == []  # not at once again
    gateway.start()
    as_if_later(derive_at=now())
    (again,) = due_derivations(db.session())
    derive(again)
    assert studio.client.get(f"{presigned['publicUrl']}.v1-256.webp").status_code == 200
    assert not check_assets().missing
    assert not check_assets().orphans


@pytest.mark.parametrize("point", ["blob-doomed", "reservation-released"])
def test_a_sweep_goes_on_where_storage_left_it(
    studio: Studio, gateway: Gateway, cast: Cast, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    studio.upload(DATA)
    studio.at("DELETE", f"/assets/{studio.assets()[0]['id']}")
    presigned = answered(studio.presign(picture(seed=2)))
    put(presigned["signedUrl"], picture(seed=2), "image/png")
    long_ago = now() - timedelta(hours=2)
    as_if_later(unused_since=long_ago, held_at=long_ago)
    with writing() as session:
        session.execute(update(StagedAsset).values(expires_at=long_ago))
    gateway.stop_at(monkeypatch, "app.maintenance.image_sweep", point)

    with pytest.raises(Unavailable):
        sweep_assets(timedelta(0), scan=False)

    assert used(cast) == (0, 0)
    gateway.start()
    as_if_later(held_at=long_ago)
    sweep_assets(timedelta(0), scan=True)
    assert rows() == {"assets": 0, "blobs": 0, "staged_assets": 0}
    assert list(bucket().objects("staging/")) == list(bucket().objects("uploads/")) == []
