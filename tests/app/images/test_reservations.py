"""No address, old or new, takes more than is reserved for it."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import delete, update

from app.data.database import writing
from app.data.extensions import db
from app.data.models.asset import StagedAsset
from app.data.models.base import now
from app.images.image_quota import asset_quota, settle
from app.maintenance.image_sweep import sweep_assets
from app.refusals import Unavailable
from app.storage.bucket import bucket
from tests.app.api.v1.calling import Studio, answered, put, refused
from tests.app.images.images import picture
from tests.app.images.test_races import at_once, fresh
from tests.conftest import Cast

DATA = picture(300, 420)
SIZE = len(DATA)
AN_HOUR = timedelta(hours=1)


def taken(cast: Cast) -> tuple[int, int]:
    """Bytes used and reserved by Starlight. The ledger must say what the rows say."""
    db.session.rollback()
    with writing() as session:
        assert settle(session, cast.starlight.partner_id) == 0
    quota = asset_quota(db.session(), cast.starlight.partner_id)
    return quota.used, quota.reserved


def staged_bytes() -> int:
    """What clients have put, and nobody has confirmed."""
    store = bucket()
    parts = [store.parts(found.key, found.multipart_id) or [] for found in store.open_multiparts("staging/")]
    return sum(part.size for each in parts for part in each) + sum(found.size for found in store.objects("staging/"))


def sweep() -> None:
    """As once a minute."""
    sweep_assets(AN_HOUR, scan=False)


def test_an_older_address_of_a_shrunk_image_stores_no_more_than_is_reserved(
    app: Flask, studio: Studio, cast: Cast
) -> None:
    older = answered(studio.presign(DATA))
    answered(studio.presign(DATA, byteSize=1))
    assert put(older["signedUrl"], DATA, "image/png") == 200
    assert staged_bytes() == SIZE
    assert taken(cast) == (0, SIZE)


def test_growing_and_shrinking_reserve_the_largest_size_once(app: Flask, studio: Studio, cast: Cast) -> None:
    for size in (10, SIZE, 1, 500):
        answered(studio.presign(DATA, byteSize=size))
    assert taken(cast) == (0, SIZE)


@pytest.mark.slow
def test_presigns_of_many_sizes_at_once_reserve_the_largest(app: Flask, studio: Studio, cast: Cast) -> None:
    sizes = [1, SIZE, 7, SIZE // 2, 2, SIZE - 1]
    deeds = [lambda size=size: fresh(app, studio).presign(DATA, byteSize=size).status_code for size in sizes]
    assert at_once(app, deeds) == [200] * len(sizes)
    assert taken(cast) == (0, SIZE)


@pytest.mark.settings(ASSET_QUOTA_BYTES=str(SIZE + 100))
def test_shrinking_makes_no_room_for_another_image(app: Flask, studio: Studio, cast: Cast) -> None:
    answered(studio.presign(DATA))
    answered(studio.presign(DATA, byteSize=1))
    refused(studio.presign(picture(seed=2)), 413, "STORAGE_LIMIT_EXCEEDED")


def test_what_was_reserved_is_free_again_once_the_last_address_has_expired(
    app: Flask, studio: Studio, cast: Cast
) -> None:
    older = answered(studio.presign(DATA))
    answered(studio.presign(DATA, byteSize=1))
    put(older["signedUrl"], DATA, "image/png")
    with writing() as session:
        session.execute(update(StagedAsset).values(expires_at=now() - AN_HOUR))
    sweep()
    assert taken(cast) == (0, 0)
    assert staged_bytes() == 0


def test_the_real_bytes_of_a_shrunk_image_are_not_confirmed_as_one_byte(app: Flask, studio: Studio, cast: Cast) -> None:
    older = answered(studio.presign(DATA))
    shrunk = answered(studio.presign(DATA, byteSize=1))
    put(older["signedUrl"], DATA, "image/png")
    message = refused(studio.confirm(shrunk, DATA, byteSize=1), 400, "VALIDATION_ERROR")
    assert f"{SIZE:,} bytes; 1 were announced" in message
    assert (taken(cast), staged_bytes()) == ((0, 0), 0)


def test_an_address_ends_with_its_upload(app: Flask, studio: Studio, cast: Cast) -> None:
    """Nothing is reserved for it any more, although its half hour is not over."""
    presigned = studio.upload(DATA)
    assert put(presigned["signedUrl"], DATA, "image/png") == 404
    again = answered(studio.presign(DATA))  # known bytes: they need not be sent
    assert answered(studio.confirm(again, DATA)) == {"ok": True}
    assert put(again["signedUrl"], DATA, "image/png") == 404
    other = answered(studio.presign(picture(seed=2), byteSize=SIZE))
    put(other["signedUrl"], DATA, "image/png")
    refused(studio.confirm(other, picture(seed=2), byteSize=SIZE), 400, "VALIDATION_ERROR")
    assert put(other["signedUrl"], DATA, "image/png") == 404
    assert (staged_bytes(), taken(cast)) == (0, (SIZE, 0))


def test_the_sweep_ends_addresses_whose_upload_has_no_row_any_more(app: Flask, studio: Studio, cast: Cast) -> None:
    """A process died between the row and the transfer."""
    presigned = answered(studio.presign(DATA))
    put(presigned["signedUrl"], DATA, "image/png")
    with writing() as session:
        session.execute(delete(StagedAsset))
        settle(session, cast.starlight.partner_id)
    sweep()
    assert put(presigned["signedUrl"], DATA, "image/png") == 404
    assert (staged_bytes(), taken(cast)) == (0, (0, 0))


def test_after_a_confirm_that_was_cut_off_the_image_can_be_sent_again(
    app: Flask, studio: Studio, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are joined, and the transfer with its addresses is over."""
    presigned = answered(studio.presign(DATA))
    put(presigned["signedUrl"], DATA, "image/png")

    def cut_off(point: str) -> None:
        raise Unavailable(f"cut off at {point}")

    with monkeypatch.context() as patched:
        patched.setattr("app.images.intake.staging.crash_point", cut_off)
        refused(studio.confirm(presigned, DATA), 502, "INTERNAL_ERROR")
    assert put(presigned["signedUrl"], DATA, "image/png") == 404
    fresh_address = answered(studio.presign(DATA))
    assert put(fresh_address["signedUrl"], DATA, "image/png") == 200
    assert answered(studio.confirm(fresh_address, DATA)) == {"ok": True}
    assert (staged_bytes(), taken(cast)) == (0, (SIZE, 0))


@pytest.mark.slow
def test_presigns_of_one_image_at_once_share_one_transfer(app: Flask, studio: Studio, cast: Cast) -> None:
    def presign() -> str:
        url: str = answered(fresh(app, studio).presign(DATA))["signedUrl"]
        return url

    urls = at_once(app, [presign] * 5)
    (open_,) = bucket().open_multiparts("staging/")
    assert {parse_qs(urlsplit(url).query)["uploadId"][0] for url in urls} == {open_.multipart_id}


def test_an_open_upload_is_left_alone_by_the_sweep(app: Flask, studio: Studio, cast: Cast) -> None:
    presigned = answered(studio.presign(DATA))
    put(presigned["signedUrl"], DATA, "image/png")
    sweep()
    assert staged_bytes() == SIZE
    assert answered(studio.confirm(presigned, DATA)) == {"ok": True}


def test_known_bytes_are_announced_with_their_size_or_not_at_all(app: Flask, studio: Studio, cast: Cast) -> None:
    """They need no second room, so another size would be room that nobody reserved."""
    studio.upload(DATA)
    for size in (1, SIZE - 1, SIZE + 1, 20 * 1024**2):
        assert "byteSize" in refused(studio.presign(DATA, byteSize=size), 400, "VALIDATION_ERROR")
    answered(studio.presign(DATA))
    assert taken(cast) == (SIZE, 0)


def test_known_bytes_are_free_in_one_place_at_a_time(app: Flask, studio: Studio, cast: Cast) -> None:
    """Otherwise each new game would be a place for all of them again."""
    studio.upload(DATA)
    for number in (1, 2, 3):
        studio.new_game(f"Game {number}")
        put(answered(studio.presign(DATA))["signedUrl"], DATA, "image/png")
    assert taken(cast) == (SIZE, 2 * SIZE)
    assert staged_bytes() == 3 * SIZE
