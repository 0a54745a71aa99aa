"""Many at once: the last of a quota, and confirm, delete and sweep of the same bytes."""

from __future__ import annotations

import contextvars
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from app.components.image_deletion import restore_asset
from app.data.database import writing
from app.data.extensions import db
from app.data.models.asset import Asset, Blob, QuotaEntry, StagedAsset
from app.data.models.base import now
from app.data.models.game import Game
from app.images.asset_refusals import AssetNotFound
from app.images.blobs import claim_blob
from app.images.image_quota import asset_quota, settle
from app.maintenance.image_sweep import sweep_assets
from app.storage.bucket import Bucket, StoredPart, bucket
from tests.app.api.v1.calling import Studio, announced, answered, put
from tests.app.images.images import checksum, picture
from tests.conftest import CAST, Cast

pytestmark = pytest.mark.slow

T = TypeVar("T")
SECONDS = timedelta(seconds=30)
NOW = timedelta(0)


def at_once(app: Flask, deeds: Sequence[Callable[[], T]]) -> list[T]:
    """Run all of them in threads that begin together, each in an app context of its own."""
    begin = threading.Barrier(len(deeds))

    def run(deed: Callable[[], T]) -> T:
        with app.app_context():
            begin.wait(30)
            try:
                return deed()
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return [done.result(60) for done in [pool.submit(contextvars.Context().run, run, deed) for deed in deeds]]


def fresh(app: Flask, studio: Studio) -> Studio:
    """The same app of the same game, over a client that no other thread uses."""
    return Studio(app.test_client(), studio.key, studio.game_id)


@pytest.mark.settings(ASSET_QUOTA_BYTES="100000")
def test_20_presigns_at_the_quotas_edge_never_overshoot(app: Flask, studio: Studio, cast: Cast) -> None:
    def presign(number: int) -> int:
        body = announced(picture()) | {"byteSize": 9_000, "checksum": checksum(b"%d" % number)}
        return fresh(app, studio).at("POST", "/assets/presign", json=body).status_code

    statuses = at_once(app, [lambda number=number: presign(number) for number in range(20)])  # type: ignore[misc]  # a default binds the number

    assert sorted(statuses) == [200] * 11 + [413] * 9
    quota = asset_quota(db.session(), cast.starlight.partner_id)
    assert (quota.used, quota.reserved) == (0, 99_000)
    balances = db.session.scalars(select(QuotaEntry.balance).order_by(QuotaEntry.id)).all()
    assert balances == [9_000 * count for count in range(1, 12)]


def test_the_same_confirm_many_times_at_once_makes_one_asset(app: Flask, studio: Studio, cast: Cast) -> None:
    data = picture()
    presigned = answered(studio.presign(data))
    put(presigned["signedUrl"], data, "image/png")

    answers = at_once(app, [lambda: fresh(app, studio).confirm(presigned, data).status_code for _ in range(6)])

    assert answers == [200] * 6
    assert len(studio.assets()) == 1
    assert_whole(cast)


def test_one_of_many_confirms_joins_the_sent_bytes_while_the_others_wait(
    app: Flask, studio: Studio, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two calls that complete one transfer at once leave an empty object in the embedded storage."""
    data = picture()
    presigned = answered(studio.presign(data))
    put(presigned["signedUrl"], data, "image/png")
    complete, at_work, most, lock = Bucket.complete_multipart, [0], [0], threading.Lock()

    def counted(self: Bucket, key: str, multipart_id: str, etags: Sequence[str]) -> None:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        threading.Event().wait(0.3)  # long enough for the others to come
        try:
            complete(self, key, multipart_id, etags)
        finally:
            with lock:
                at_work[0] -= 1

    monkeypatch.setattr(Bucket, "complete_multipart", counted)

    answers = at_once(app, [lambda: fresh(app, studio).confirm(presigned, data).status_code for _ in range(4)])

    assert answers == [200] * 4
    assert most[0] == 1
    assert_whole(cast)


def test_a_join_whose_worker_died_is_taken_over_after_its_lease(app: Flask, studio: Studio, cast: Cast) -> None:
    data = picture()
    presigned = answered(studio.presign(data))
    put(presigned["signedUrl"], data, "image/png")
    with writing() as session:
        session.execute(update(StagedAsset).values(joined_until=now() + timedelta(seconds=2)))

    assert studio.confirm(presigned, data).status_code == 200
    assert_whole(cast)


def test_a_join_that_was_frozen_beyond_its_lease_leaves_the_next_one_alone(
    app: Flask, studio: Studio, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would end or extend the lease of the next call, and a third one would join at the same time."""
    data = picture()
    presigned = answered(studio.presign(data))
    put(presigned["signedUrl"], data, "image/png")
    parts, complete = Bucket.parts, Bucket.complete_multipart
    frozen, thawed, joining, may_end = (threading.Event() for _ in range(4))

    def parts_once_thawed(self: Bucket, key: str, multipart_id: str) -> list[StoredPart] | None:
        found = parts(self, key, multipart_id)
        if not frozen.is_set():
            frozen.set()
            assert thawed.wait(60)
        return found

    def complete_when_allowed(self: Bucket, key: str, multipart_id: str, etags: Sequence[str]) -> None:
        joining.set()
        assert may_end.wait(60)
        complete(self, key, multipart_id, etags)

    monkeypatch.setattr(Bucket, "parts", parts_once_thawed)
    monkeypatch.setattr(Bucket, "complete_multipart", complete_when_allowed)

    def confirm() -> TestResponse:
        with app.app_context():
            try:
                return fresh(app, studio).confirm(presigned, data)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(contextvars.Context().run, confirm)
        assert frozen.wait(60)
        with writing() as session:
            session.execute(update(StagedAsset).values(joined_until=now()))
        second = pool.submit(contextvars.Context().run, confirm)
        assert joining.wait(60)
        thawed.set()
        answer = first.result(60)
        assert answer.status_code == 502  # of this API
        assert "is being confirmed now" in answer.text
        with writing() as session:
            row = session.scalars(select(StagedAsset)).one()
            assert row.joined_until is not None
            assert row.joined_until > now()
        may_end.set()
        assert second.result(60).status_code == 200
    assert_whole(cast)


def test_two_games_that_confirm_the_same_bytes_at_once_share_one_blob(app: Flask, studio: Studio, cast: Cast) -> None:
    data = picture()
    studios = [studio]
    for number in range(3):
        another = Studio(studio.client, studio.key)
        another.new_game(f"Game {number}")
        studios.append(another)
    presigned = [answered(one.presign(data)) for one in studios]
    for each in presigned:
        put(each["signedUrl"], data, "image/png")

    answers = at_once(
        app,
        [
            lambda one=one, each=each: fresh(app, one).confirm(each, data).status_code  # type: ignore[misc]  # defaults bind both
            for one, each in zip(studios, presigned, strict=True)
        ],
    )

    assert answers == [200] * 4
    assert db.session.scalar(select(func.count()).select_from(Blob)) == 1
    assert_whole(cast)


class Stop:
    """Holds whoever comes to a named point (app/process/crash_points.py) until it is let go; only the first time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: str, point: str) -> None:
        self.reached, self._let_go, self._point = threading.Event(), threading.Event(), point
        monkeypatch.setattr(f"{module}.crash_point", self._pass)

    def _pass(self, point: str) -> None:
        if point == self._point and not self.reached.is_set():
            self.reached.set()
            assert self._let_go.wait(30)

    def wait(self) -> None:
        assert self.reached.wait(30), f"nobody came to {self._point}"

    def let_go(self) -> None:
        self._let_go.set()


def sweep_all() -> None:
    """With no time for undo and no lease: every sweep deletes whatever it can get hold of."""
    sweep_assets(SECONDS, undo=NOW, lease=NOW, scan=False)


def delete_everything(studio: Studio) -> None:
    for asset in studio.assets():
        assert studio.at("DELETE", f"/assets/{asset['id']}").status_code == 204


@pytest.mark.parametrize("point", ["blob-doomed", "objects-deleted"])
def test_a_confirm_waits_for_a_sweep_that_deletes_the_same_bytes(
    app: Flask, studio: Studio, cast: Cast, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    data = picture()
    presigned = studio.upload(data)
    delete_everything(studio)
    answered(studio.presign(data))
    put(answered(studio.presign(data))["signedUrl"], data, "image/png")
    sweeping = Stop(monkeypatch, "app.maintenance.image_sweep", point)
    refused_claims = threading.Event()

    def claim_and_tell(*arguments: Any) -> Any:
        claimed = claim_blob(*arguments)
        if claimed is None:
            refused_claims.set()
        return claimed

    monkeypatch.setattr("app.images.intake.confirmation.claim_blob", claim_and_tell)

    def confirm() -> int:
        sweeping.wait()
        return fresh(app, studio).confirm(presigned, data).status_code

    def let_go_once_it_waits() -> int:
        assert refused_claims.wait(30), "the confirm went past a sweep that was at work"
        sweeping.let_go()
        return 0

    def sweep() -> int:
        sweep_all()
        return 0

    assert at_once(app, [sweep, confirm, let_go_once_it_waits]) == [0, 200, 0]
    assert_whole(cast)
    assert studio.client.get(presigned["publicUrl"]).data == data


@pytest.mark.parametrize("point", ["asset-verified", "asset-stored"])
@pytest.mark.parametrize("again", [False, True])
def test_a_confirm_begins_again_when_a_sweep_came_between(
    app: Flask, studio: Studio, cast: Cast, monkeypatch: pytest.MonkeyPatch, point: str, again: bool
) -> None:
    data = picture()
    if again:  # the object of an asset that was deleted is still there, and goes while it is confirmed again
        studio.upload(data)
        delete_everything(studio)
    presigned = answered(studio.presign(data))
    put(presigned["signedUrl"], data, "image/png")
    confirming = Stop(monkeypatch, "app.images.intake.confirmation", point)

    def sweep() -> int:
        confirming.wait()
        sweep_all()
        confirming.let_go()
        return 0

    assert at_once(app, [sweep, lambda: fresh(app, studio).confirm(presigned, data).status_code]) == [0, 200]
    assert_whole(cast)
    assert studio.client.get(presigned["publicUrl"]).data == data


def test_what_is_being_deleted_cannot_be_brought_back(
    app: Flask, studio: Studio, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.upload(picture())
    (asset,) = studio.assets()
    delete_everything(studio)
    sweeping = Stop(monkeypatch, "app.maintenance.image_sweep", "blob-doomed")

    def restore() -> str:
        sweeping.wait()
        try:
            restore_asset(db.session.get_one(Game, studio.game_id), asset["id"], CAST)
        except AssetNotFound as refusal:
            return refusal.code
        finally:
            sweeping.let_go()
        return "restored"

    def sweep() -> str:
        sweep_all()
        return "swept"

    assert at_once(app, [sweep, restore]) == ["swept", "asset_not_found"]
    assert_whole(cast)


def test_confirm_delete_and_sweep_of_the_same_bytes_never_lose_an_object(
    app: Flask, studio: Studio, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they come, in any order; each lingers where it could be overtaken."""
    data = picture()
    presigned = studio.upload(data)
    dice = random.Random(4)
    for module in ("app.maintenance.image_sweep", "app.images.intake.confirmation"):
        monkeypatch.setattr(f"{module}.crash_point", lambda _: threading.Event().wait(dice.random() / 20))

    def upload() -> str:
        mine = fresh(app, studio)
        again = answered(mine.presign(data))
        put(again["signedUrl"], data, "image/png")
        answer = mine.confirm(again, data)
        # Somebody else may have confirmed it, and the staged bytes are gone with that.
        assert answer.status_code == 200 or "presign" in answer.text.lower() or "PUT" in answer.text, answer.text
        return "uploaded"

    def delete() -> str:
        mine = fresh(app, studio)
        for asset in mine.assets():
            assert mine.at("DELETE", f"/assets/{asset['id']}").status_code in {204, 404}
        return "deleted"

    def sweep() -> str:
        sweep_all()
        return "swept"

    deeds: list[Callable[[], str]] = [upload, delete, sweep, upload, sweep, delete, sweep]
    for _ in range(6):
        at_once(app, deeds)
        assert_whole(cast)

    settled = studio.upload(data)
    assert settled["key"] == presigned["key"]
    assert_whole(cast)
    assert studio.client.get(settled["publicUrl"]).data == data


def assert_whole(cast: Cast) -> None:
    """Every image that is shown has its object, every blob its row, and the ledger says what the rows say."""
    db.session.rollback()
    shown: Any = select(Blob.object_key, Blob.size).join(Asset, Asset.blob_id == Blob.id)
    for key, size in db.session.execute(shown.where(Asset.deleted_at.is_(None))).all():
        stored = bucket().stat(key)
        assert stored is not None, f"{key} is shown and gone"
        assert stored.size == size
    with writing() as session:
        assert settle(session, cast.starlight.partner_id) == 0
    db.session.rollback()
