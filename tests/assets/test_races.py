"""Many at once: the last of a quota, and confirm, delete and sweep of the same bytes."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.assets.quota import asset_quota, settle
from app.assets.sweeping import sweep_assets
from app.database import writing
from app.extensions import db
from app.models import Asset, Blob, QuotaEntry
from app.storage.bucket import bucket
from tests.api_v1.calling import Studio, announced, answered, put
from tests.assets.images import checksum, picture
from tests.conftest import Cast

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


def test_confirm_delete_and_sweep_of_the_same_bytes_never_lose_an_object(
    app: Flask, studio: Studio, cast: Cast
) -> None:
    """With no time for undo and no lease, so that every sweep deletes whatever it can get hold of."""
    data = picture()
    presigned = studio.upload(data)

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
        sweep_assets(NOW, undo=NOW, lease=NOW, scan=False)
        return "swept"

    def sweep_everything() -> str:
        # Objects that are old enough to be orphans are another matter: here they are seconds old.
        sweep_assets(SECONDS, undo=NOW, lease=NOW, scan=True)
        return "swept"

    deeds: list[Callable[[], str]] = [upload, delete, sweep, upload, sweep_everything, delete, sweep]
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
