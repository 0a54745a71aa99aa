"""Assets, call by call (assets-api.md section 5)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.accounts.keys import create_key
from app.data.database import writing
from app.data.extensions import db
from app.data.models.asset import Asset, Blob, QuotaEntry, StagedAsset
from app.data.models.base import now
from app.data.models.partner import Partner
from app.images.image_quota import asset_quota, settle
from app.maintenance.build_sweep import check, sweep
from app.storage.bucket import bucket
from tests.app.api.v1.calling import Studio, announced, answered, put, put_raw, refused
from tests.app.api.v1.test_components import face, save
from tests.app.images.images import checksum, picture
from tests.conftest import CAST, Cast


def other_app(client: FlaskClient, studio: Studio, cast: Cast) -> Studio:
    """Another app of the same partner, working on the same game."""
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    _, secret = create_key(partner, "Component Studio", ["read", "write", "upload"], CAST)
    return Studio(client, secret, studio.game_id)


def used(cast: Cast) -> tuple[int, int]:
    """Bytes used and reserved by Starlight. The ledger must say what the rows say."""
    db.session.rollback()
    with writing() as session:
        assert settle(session, cast.starlight.partner_id) == 0
    quota = asset_quota(db.session(), cast.starlight.partner_id)
    entries = select(func.sum(QuotaEntry.byte_change)).where(QuotaEntry.partner_id == cast.starlight.partner_id)
    assert (db.session.scalar(entries) or 0) == quota.used + quota.reserved
    return quota.used, quota.reserved


def staged_objects() -> list[str]:
    """Keys of what was sent and not confirmed, joined or not."""
    store = bucket()
    sent = [found.key for found in store.open_multiparts("staging/") if store.parts(found.key, found.multipart_id)]
    return sent + [found.key for found in store.objects("staging/")]


WRONG_PRESIGNS: list[dict[str, Any]] = [
    {"fileName": ...},
    {"fileName": ""},
    {"fileName": "x" * 257},
    {"contentType": "image/svg+xml"},
    {"contentType": "text/html"},
    {"contentType": ...},
    {"byteSize": 0},
    {"byteSize": -1},
    {"byteSize": 20 * 1024**2 + 1},
    {"byteSize": 1.5},
    {"byteSize": "12"},
    {"byteSize": True},
    {"checksum": "sha256-"},
    {"checksum": "sha256-AAAA"},
    {"checksum": "md5-" + "A" * 43 + "="},
    {"checksum": hashlib.sha256(b"").hexdigest()},
    {"checksum": "sha256-" + "!" * 43 + "="},
]


def test_presign_refuses_what_breaks_a_rule(studio: Studio, cast: Cast, subtests: pytest.Subtests) -> None:
    for wrong in WRONG_PRESIGNS:
        with subtests.test(wrong=wrong):
            body = {name: value for name, value in (announced(picture()) | wrong).items() if value is not ...}
            message = refused(studio.at("POST", "/assets/presign", json=body), 400, "VALIDATION_ERROR")
            assert next(iter(wrong)) in message
    assert used(cast) == (0, 0)


def test_presign_takes_what_is_at_the_limit(studio: Studio) -> None:
    for allowed in (
        {"byteSize": 20 * 1024**2},
        {"fileName": "x" * 256},
        {"contentType": "image/gif"},
        {"contentType": "image/webp"},
        {"contentType": "image/jpeg"},
    ):
        answer = answered(studio.at("POST", "/assets/presign", json=announced(picture()) | allowed))
        assert answer["contentType"] == allowed.get("contentType", "image/png")


def test_the_signed_url_takes_these_bytes_and_no_others(studio: Studio) -> None:
    data = picture()
    url = answered(studio.presign(data))["signedUrl"]
    assert put(url, data + b"x", "image/png") == 403
    assert put(url, data[:-1], "image/png") == 403
    assert put(url, data, "text/html") == 403
    assert put_raw(url, data, {"Content-Length": str(len(data))}) in {400, 403}  # no type at all
    assert staged_objects() == []
    assert put(url, data, "image/png") == 200


def test_nothing_is_under_the_final_name_before_the_confirm(studio: Studio) -> None:
    data = picture()
    presigned = answered(studio.presign(data))
    put(presigned["signedUrl"], data, "image/png")
    assert bucket().stat(presigned["key"]) is None
    answered(studio.confirm(presigned, data))
    stored = bucket().stat(presigned["key"])
    assert stored is not None
    assert stored.size == len(data)
    assert staged_objects() == []


def test_a_confirm_can_be_repeated(studio: Studio, cast: Cast) -> None:
    data = picture()
    presigned = studio.upload(data)
    assert answered(studio.confirm(presigned, data)) == {"ok": True}
    assert len(studio.assets()) == 1
    assert used(cast) == (len(data), 0)


def test_a_later_put_changes_nothing_that_was_confirmed(studio: Studio, client: FlaskClient) -> None:
    data = picture(seed=1)
    presigned = studio.upload(data)
    other = bytearray(data)
    other[-20:] = b"<script>alert(1)</sc"
    assert put(presigned["signedUrl"], bytes(other), "image/png") == 404
    assert answered(studio.confirm(presigned, data)) == {"ok": True}
    assert client.get(presigned["publicUrl"]).data == data
    sweep(timedelta(0))


def test_confirm_refuses_what_differs_from_presign(studio: Studio) -> None:
    data = picture()
    presigned = answered(studio.presign(data))
    put(presigned["signedUrl"], data, "image/png")
    wrongs: list[dict[str, Any]] = [
        {"byteSize": 7},
        {"contentType": "image/jpeg"},
        {"key": "uploads/sh/nothing"},
        {"key": "staging/staged_1"},
        {"publicUrl": "https://elsewhere.example/x.png"},
    ]
    for wrong in wrongs:
        message = refused(studio.confirm(presigned, data, **wrong), 400, "VALIDATION_ERROR")
        assert next(iter(wrong)) in message
    assert answered(studio.confirm(presigned, data)) == {"ok": True}


def test_confirm_before_the_upload_says_so_and_can_be_repeated_after_it(studio: Studio) -> None:
    data = picture()
    presigned = answered(studio.presign(data))
    assert "PUT" in refused(studio.confirm(presigned, data), 400, "VALIDATION_ERROR")
    put(presigned["signedUrl"], data, "image/png")
    assert answered(studio.confirm(presigned, data)) == {"ok": True}


def test_other_bytes_than_announced_are_refused_and_gone(studio: Studio, cast: Cast) -> None:
    data = picture(seed=1)
    other = bytearray(data)
    other[60] ^= 1
    presigned = answered(studio.presign(data))
    assert put(presigned["signedUrl"], bytes(other), "image/png") == 200

    message = refused(studio.confirm(presigned, data), 400, "VALIDATION_ERROR")

    assert "checksum" in message
    assert staged_objects() == []
    assert bucket().stat(presigned["key"]) is None
    assert used(cast) == (0, 0)
    assert "Presign" in refused(studio.confirm(presigned, data), 400, "VALIDATION_ERROR")


def test_an_image_of_another_type_than_declared_is_refused_and_gone(studio: Studio) -> None:
    data = picture(kind="JPEG")
    presigned = answered(studio.presign(data, contentType="image/png"))
    put(presigned["signedUrl"], data, "image/png")
    message = refused(studio.confirm(presigned, data), 400, "VALIDATION_ERROR")
    assert "JPEG" in message
    assert "image/png" in message
    assert staged_objects() == []


def test_a_known_checksum_needs_no_second_upload(studio: Studio, cast: Cast) -> None:
    data = picture()
    first = studio.upload(data)
    game = studio.game_id
    studio.new_game("Second")

    again = answered(studio.presign(data))

    assert again["key"] == first["key"]
    assert used(cast) == (len(data), 0)
    assert answered(studio.confirm(again, data)) == {"ok": True}
    assert [asset["key"] for asset in studio.assets()] == [first["key"]]
    assert used(cast) == (len(data), 0)
    studio.game_id = game
    assert len(studio.assets()) == 1


def test_another_app_must_send_the_bytes_itself(client: FlaskClient, studio: Studio, cast: Cast) -> None:
    data = picture()
    first = studio.upload(data)
    other = other_app(client, studio, cast)

    presigned = answered(other.presign(data))

    assert presigned["key"] == first["key"]
    assert used(cast) == (len(data), len(data))
    refused(other.confirm(presigned, data), 400, "VALIDATION_ERROR")
    assert put(presigned["signedUrl"], data, "image/png") == 200
    assert answered(other.confirm(presigned, data)) == {"ok": True}
    assert used(cast) == (len(data), 0)  # one object, counted once


def test_assets_are_seen_by_the_app_that_uploaded_them(client: FlaskClient, studio: Studio, cast: Cast) -> None:
    data = picture()
    presigned = studio.upload(data)
    (asset,) = studio.assets()
    other = other_app(client, studio, cast)
    assert other.assets() == []
    refused(other.at("DELETE", f"/assets/{asset['id']}"), 404, "ASSET_NOT_FOUND")
    refused(other.confirm(presigned, data), 400, "VALIDATION_ERROR")
    body = {"kind": "tile", "name": "x", "externalKey": "x", "assets": [face(presigned)]}
    refused(other.at("POST", "/components", json=body), 404, "ASSET_NOT_FOUND")


def test_two_partners_with_the_same_file_share_nothing(client: FlaskClient, studio: Studio, cast: Cast) -> None:
    data = picture()
    ours = studio.upload(data)
    stranger = Studio(client, cast.moonbase.key)
    stranger.new_game("Theirs")

    theirs = answered(stranger.presign(data))

    assert theirs["key"] != ours["key"]
    refused(stranger.confirm(theirs, data), 400, "VALIDATION_ERROR")  # they have to send it themselves
    refused(stranger.confirm(ours, data), 400, "VALIDATION_ERROR")
    put(theirs["signedUrl"], data, "image/png")
    answered(stranger.confirm(theirs, data))
    studio.at("DELETE", f"/assets/{studio.assets()[0]['id']}")
    sweep(timedelta(0))
    assert client.get(theirs["publicUrl"]).data == data


def test_the_list_is_oldest_first_and_can_be_read_in_pages(studio: Studio) -> None:
    names = [f"{number}.png" for number in range(5)]
    for number, name in enumerate(names):
        studio.upload(picture(20, 20, seed=number), fileName=name)
    assert [asset["fileName"] for asset in studio.assets()] == names
    seen: list[str] = []
    query = "?limit=2"
    while query:
        page = answered(studio.at("GET", f"/assets{query}"))
        seen += [asset["fileName"] for asset in page["assets"]]
        query = f"?limit=2&cursor={page['nextCursor']}" if "nextCursor" in page else ""
    assert seen == names
    refused(studio.at("GET", "/assets?cursor=bm9uc2Vuc2U"), 400, "VALIDATION_ERROR")


def test_deleting_takes_the_asset_out_of_the_component_and_off_the_quota(
    client: FlaskClient, studio: Studio, cast: Cast
) -> None:
    data = picture()
    presigned = studio.upload(data)
    save(studio, assets=[face(presigned), face(presigned, "back")])
    (asset,) = studio.assets()

    answer = studio.at("DELETE", f"/assets/{asset['id']}")

    assert answer.status_code == 204
    assert answer.data == b""
    assert studio.assets() == []
    (component,) = answered(studio.at("GET", "/components"))["components"]
    assert component["payload"] == {"imageFaces": {}}
    assert used(cast) == (0, 0)
    assert client.get(presigned["publicUrl"]).status_code == 404
    refused(studio.at("DELETE", f"/assets/{asset['id']}"), 404, "ASSET_NOT_FOUND")


def test_the_object_goes_when_nobody_uses_it(app: Flask, client: FlaskClient, studio: Studio, cast: Cast) -> None:
    data = picture()
    presigned = studio.upload(data)
    other = other_app(client, studio, cast)
    other.upload(data)
    later(minutes=30)
    sweep(timedelta(0))
    studio.at("DELETE", f"/assets/{studio.assets()[0]['id']}")
    later(minutes=30)
    sweep(timedelta(0))
    assert client.get(presigned["publicUrl"]).data == data
    assert used(cast) == (len(data), 0)

    other.at("DELETE", f"/assets/{other.assets()[0]['id']}")
    later(minutes=30)
    sweep(timedelta(0))

    assert bucket().stat(presigned["key"]) is None
    assert db.session.scalars(select(Blob)).all() == []
    assert db.session.scalars(select(Asset)).all() == []
    assert not check().missing
    assert not check().orphans


def test_an_asset_can_be_uploaded_again_after_it_was_deleted(studio: Studio, client: FlaskClient, cast: Cast) -> None:
    data = picture()
    studio.upload(data)
    studio.at("DELETE", f"/assets/{studio.assets()[0]['id']}")
    presigned = studio.upload(data)
    assert len(studio.assets()) == 1
    assert used(cast) == (len(data), 0)
    later(minutes=30)
    sweep(timedelta(0))
    assert client.get(presigned["publicUrl"]).data == data


def test_a_reservation_ends_when_the_url_expires(studio: Studio, cast: Cast) -> None:
    data = picture()
    presigned = answered(studio.presign(data))
    put(presigned["signedUrl"], data, "image/png")
    assert used(cast) == (0, len(data))
    sweep(timedelta(0))
    assert used(cast) == (0, len(data))

    later(minutes=36)
    sweep(timedelta(0))

    assert used(cast) == (0, 0)
    assert staged_objects() == []
    assert "Presign" in refused(studio.confirm(presigned, data), 400, "VALIDATION_ERROR")


def test_presigning_again_reserves_once(studio: Studio, cast: Cast) -> None:
    data = picture()
    first = answered(studio.presign(data))
    answered(studio.presign(data))
    assert used(cast) == (0, len(data))
    put(first["signedUrl"], data, "image/png")
    answered(studio.confirm(first, data))
    assert used(cast) == (len(data), 0)


@pytest.mark.settings(ASSET_QUOTA_BYTES="100000")
def test_the_quota_is_inclusive_and_counts_what_is_on_its_way(studio: Studio, cast: Cast) -> None:
    body = announced(picture())
    answered(studio.at("POST", "/assets/presign", json=body | {"byteSize": 99_999}))
    over = body | {"checksum": checksum(b"other"), "byteSize": 2}
    message = refused(studio.at("POST", "/assets/presign", json=over), 413, "STORAGE_LIMIT_EXCEEDED")
    assert "100,000" in message
    assert "1 B are left" in message
    answered(studio.at("POST", "/assets/presign", json=over | {"byteSize": 1}))
    assert used(cast) == (0, 100_000)


def test_a_deleted_game_gives_its_bytes_back(studio: Studio, cast: Cast, client: FlaskClient) -> None:
    data = picture()
    presigned = studio.upload(data)
    save(studio, assets=[face(presigned)])
    answered(studio.at("POST", "/revisions/1/finalize"))
    answered(studio.presign(picture(seed=2)))
    studio.ask("DELETE", "/api/partners/games/paper-lanterns")

    sweep(timedelta(0))

    assert used(cast) == (0, 0)
    later(minutes=30)
    sweep(timedelta(0))
    assert bucket().stat(presigned["key"]) is None
    refused(studio.at("GET", "/assets"), 404, "GAME_NOT_FOUND")
    assert db.session.scalars(select(StagedAsset)).all() == []


def later(minutes: int) -> None:
    """As if the last deed was so long ago."""
    ago = now() - timedelta(minutes=minutes)
    with writing() as session:
        session.execute(update(Blob).where(Blob.unused_since.is_not(None)).values(unused_since=ago))
        session.execute(update(Blob).values(held_at=ago))
        session.execute(update(Asset).where(Asset.deleted_at.is_not(None)).values(deleted_at=ago))
        session.execute(update(StagedAsset).values(expires_at=ago + timedelta(minutes=30)))
    db.session.rollback()
