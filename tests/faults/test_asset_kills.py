"""An image's confirm, its sizes and its sweep, with the app killed at every named point: what was acknowledged is
there, the client's next call goes on, and the sweep leaves nothing over."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from zlib import crc32

import pytest
import urllib3
from sqlalchemy import select
from urllib3.exceptions import HTTPError

from app.accounts.partners import dashboard_app_id
from app.components.image_deletion import delete_asset
from app.data.database import writing
from app.data.extensions import db
from app.data.models.asset import Asset, Blob, StagedAsset
from app.data.models.base import now
from app.data.models.game import Game
from app.images.image_quota import asset_quota
from app.images.intake.image_receiver import receive_image
from app.images.intake.presigning import AnnouncedImage, presign
from app.maintenance.image_check import check_assets
from app.maintenance.image_sweep import sweep_assets
from app.storage.bucket import bucket
from tests.app.api.v1.calling import announced, put
from tests.app.images.images import picture
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import STUDIO, World
from tests.app.uploads.resumable.resuming import SECONDS, Platform
from tests.faults.killing import crashed, flask

pytestmark = pytest.mark.slow

NOW = timedelta(0)


class Script:
    """A client of /api/v1 that asks again until it has an answer."""

    def __init__(self, platform: Platform, game_id: str) -> None:
        self._at = f"{platform.gunicorn.address}/api/v1/games/{game_id}/assets"
        self._headers = {"Authorization": f"Bearer {platform.world.key}"}

    def once(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """One try; None when no answer came."""
        try:
            answer = urllib3.request(
                "POST", self._at + path, headers=self._headers, json=body, retries=False, timeout=20
            )
        except HTTPError:
            return None
        assert answer.status == 200, answer.data
        found: dict[str, Any] = answer.json()
        return found

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []

        def tried() -> bool:
            answers.extend(answer for answer in [self.once(path, body)] if answer is not None)
            return bool(answers)

        wait_until(tried, SECONDS, f"{path} is answered")
        return answers[0]


@contextmanager
def looking(world: World) -> Iterator[None]:
    """The rows as they are now."""
    with world.app.app_context():
        yield
        db.session.remove()


def nothing_is_left_over(world: World) -> None:
    """Every object has its row, every row its object, and the ledger says what they take."""
    with looking(world):
        sweep_assets(NOW, undo=NOW, lease=NOW, scan=True)
        found = check_assets()
        assert ([one.key for one in found.orphans], found.missing) == ([], [])
        staged = [one.key for one in bucket().objects("staging/")]
        staged += [one.key for one in bucket().open_multiparts("staging/")]
        assert [key for key in staged if "/probe-" not in key] == []
        shown = db.session.scalars(select(Blob.size).where(Blob.unused_since.is_(None))).all()
        quota = asset_quota(db.session(), world.partner_id)
        assert (quota.used, quota.reserved) == (sum(shown), 0)


# First those without a server: its own sweep would be there before them.


def killed_sweep(world: World, point: str) -> None:
    assert flask(world, "sweep", SLIPWAY_APP_CRASH_AT=point)[0] == -9


def test_killed_while_an_expired_upload_is_removed(world: World) -> None:
    game_id = world.game_id(world.new_game())
    data = picture(30, 42, seed=90)
    with looking(world):
        game = db.session.get_one(Game, game_id)
        said = AnnouncedImage("card.png", "image/png", len(data), "ab" * 32)
        presign(game, dashboard_app_id(world.partner_id), said, sign_type=True)
        with writing() as session:
            session.scalars(select(StagedAsset)).one().expires_at -= timedelta(hours=1)
        assert asset_quota(db.session(), world.partner_id).reserved == len(data)
    killed_sweep(world, "reservation-released")
    with looking(world):
        assert asset_quota(db.session(), world.partner_id).reserved == 0
    nothing_is_left_over(world)


@pytest.mark.parametrize("point", ["blob-doomed", "objects-deleted"])
def test_killed_while_an_image_that_nobody_shows_is_removed(world: World, point: str) -> None:
    game_id = world.game_id(world.new_game())
    data = picture(30, 42, seed=crc32(point.encode()))
    add(world, game_id, data)
    with looking(world):
        (asset,) = db.session.scalars(select(Asset).where(Asset.game_id == game_id)).all()
        delete_asset(db.session.get_one(Game, game_id), asset.id, STUDIO)
        with writing() as session:  # an hour later
            asset = session.scalars(select(Asset).where(Asset.game_id == game_id)).one()
            blob = session.get_one(Blob, asset.blob_id)
            asset.deleted_at = blob.unused_since = blob.held_at = now() - timedelta(hours=1)
            blob_id, key = blob.id, blob.object_key
    killed_sweep(world, point)
    with looking(world):
        assert db.session.get_one(Blob, blob_id).state == "deleting", "nobody counts on its object any more"
    nothing_is_left_over(world)
    with looking(world):
        assert db.session.get(Blob, blob_id) is None
        assert bucket().stat(key) is None

    add(world, game_id, data)  # the same image once more, as if it had never been
    with looking(world):
        assert bucket().stat(key) is not None
    nothing_is_left_over(world)


def add(world: World, game_id: str, data: bytes) -> None:
    """As a member does without a script."""
    with looking(world):
        game = db.session.get_one(Game, game_id)
        receive_image(game, dashboard_app_id(world.partner_id), io.BytesIO(data), "card.png", STUDIO)


def test_killed_while_the_transfer_of_an_image_is_opened(platform: Platform, world: World) -> None:
    game_id = world.game_id(world.new_game())
    script = Script(platform, game_id)
    data = picture(60, 84, seed=91)
    pid = platform.crash_at("staged-transfer-opened")
    assert script.once("/presign", announced(data)) is None
    crashed(platform, pid, "staged-transfer-opened")

    presigned = script.ask("/presign", announced(data))
    assert put(presigned["signedUrl"], data, "image/png") == 200
    sent = {name: presigned[name] for name in ("key", "publicUrl", "contentType")} | {"byteSize": len(data)}
    assert script.ask("/upload-complete", sent) == {"ok": True}
    nothing_is_left_over(world)


@pytest.mark.parametrize(
    "point", ["staged-joined", "asset-verified", "asset-stored", "asset-published", "variant-stored"]
)
def test_killed_while_an_image_is_confirmed_or_its_sizes_are_made(platform: Platform, world: World, point: str) -> None:
    game_id = world.game_id(world.new_game())
    script = Script(platform, game_id)
    data = picture(60, 84, seed=crc32(point.encode()))
    pid = platform.crash_at(point)
    presigned = script.ask("/presign", announced(data))
    assert put(presigned["signedUrl"], data, "image/png") == 200
    sent = {name: presigned[name] for name in ("key", "publicUrl", "contentType")} | {"byteSize": len(data)}
    answer = script.once("/upload-complete", sent)
    assert answer is None or point == "variant-stored", "what was not confirmed was not acknowledged"
    crashed(platform, pid, point)

    assert script.ask("/upload-complete", sent) == {"ok": True}

    with looking(world):
        (blob,) = db.session.scalars(select(Blob).join(Asset).where(Asset.game_id == game_id)).all()
        blob_id, path = blob.id, blob.object_key
    wait_until(lambda: has_sizes(world, blob_id), SECONDS, "the sizes are made")
    served = urllib3.request("GET", f"{platform.gunicorn.address}/{path}", timeout=20)
    assert served.data == data
    assert urllib3.request("GET", f"{platform.gunicorn.address}/{path}.v1-256.webp", timeout=20).status == 200
    nothing_is_left_over(world)


def has_sizes(world: World, blob_id: str) -> bool:
    with looking(world):
        return db.session.get_one(Blob, blob_id).derivation == "ready"
