"""What everybody may fetch of an uploaded image, and what its owner still has."""

from __future__ import annotations

import hashlib
import io
import threading
from datetime import timedelta

import pytest
import urllib3
from flask.testing import FlaskClient
from PIL import ImageOps
from sqlalchemy import select, update

from app.components.image_deletion import UNDO_WINDOW
from app.data.database import writing
from app.data.extensions import db
from app.data.models.asset import Blob
from app.data.models.base import now
from app.images import image_files
from app.images.blobs import LEASE
from app.images.variant_jobs import derive, due_derivations
from app.maintenance.image_check import check_assets
from app.maintenance.image_sweep import sweep_assets
from app.storage.bucket import bucket
from app.storage.objects import write_object
from tests.app.api.v1.calling import Studio, announced, answered, put, refused
from tests.app.images.images import opened, picture, saved
from tests.app.images.test_metadata import SAMPLES, SECRET, exif, jpeg_with_everything, kind_of
from tests.conftest import Cast

NOW = timedelta(0)
PHOTO = jpeg_with_everything(orientation=6)
CLEAN = picture()


def the_blob() -> Blob:
    db.session.rollback()
    return db.session.scalars(select(Blob)).one()


def stored(key: str) -> bytes | None:
    url = bucket().agent_url(key, timedelta(minutes=5))
    answer = urllib3.request("GET", url, retries=False)
    return answer.data if answer.status == 200 else None


def keys() -> set[str]:
    return {found.key for found in bucket().objects("uploads/sh/")}


def of_an_older_version(data: bytes) -> None:
    """As the rows and objects were before there were public copies."""
    blob = the_blob()
    bucket().delete([f"{blob.object_key}.public"])
    with writing() as session:
        session.execute(update(Blob).values(public_key=None, public_size=None, public_sha256=None))
    assert stored(blob.object_key) == data


@pytest.mark.parametrize("name", SAMPLES)
def test_the_public_address_shows_the_picture_and_nothing_else(client: FlaskClient, studio: Studio, name: str) -> None:
    data = SAMPLES[name]
    presigned = studio.upload(data)

    for address in (presigned["publicUrl"], studio.assets()[0]["sourceUrl"]):
        answer = client.get(address)
        assert answer.status_code == 200
        assert SECRET not in answer.data
        shown = opened(answer.data)
        assert not shown.getexif()
        assert shown.convert("RGBA").tobytes() == opened(data).convert("RGBA").tobytes()
        assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.data).hexdigest()}"'
        assert answer.headers["Content-Length"] == str(len(answer.data))
        assert answer.headers["Content-Type"] == presigned["contentType"]


def test_a_photo_is_shown_upright_and_the_original_stays_for_its_owner(client: FlaskClient, studio: Studio) -> None:
    presigned = studio.upload(PHOTO)
    asset = studio.assets()[0]

    shown = client.get(presigned["publicUrl"]).data
    assert SECRET in PHOTO
    assert SECRET not in shown
    assert dict(opened(shown).getexif()) == {0x0112: 6}
    assert ImageOps.exif_transpose(opened(shown)).size == (asset["widthPx"], asset["heightPx"]) == (48, 64)

    original = answered(studio.at("GET", f"/assets/{asset['id']}/original"))
    answer = urllib3.request("GET", original["url"], retries=False)
    assert answer.data == PHOTO
    assert answer.headers["Content-Disposition"] == 'attachment; filename="card.png"'
    assert original["expiresAt"] > asset["createdAt"]


def test_a_range_and_a_repeated_request_are_of_what_is_shown(client: FlaskClient, studio: Studio) -> None:
    address = studio.upload(PHOTO)["publicUrl"]
    whole = client.get(address)
    part = client.get(address, headers={"Range": "bytes=-5"})
    assert part.data == whole.data[-5:]
    assert part.headers["Content-Range"].endswith(f"/{len(whole.data)}")
    assert client.get(address, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert client.head(address).headers["Content-Length"] == str(len(whole.data))


def test_a_file_without_metadata_is_stored_once(client: FlaskClient, studio: Studio) -> None:
    presigned = studio.upload(CLEAN)
    assert client.get(presigned["publicUrl"]).data == CLEAN
    assert keys() == {presigned["key"]}
    assert the_blob().public_key == presigned["key"]


def test_the_names_of_copies_and_originals_are_no_addresses(client: FlaskClient, studio: Studio) -> None:
    presigned = studio.upload(PHOTO)
    assert f"{presigned['key']}.public" in keys()
    assert client.get(f"/{presigned['key']}.public").status_code == 404
    refused(
        studio.confirm(presigned | {"key": f"{presigned['key']}.public"}, PHOTO, publicUrl="x"), 400, "VALIDATION_ERROR"
    )


def test_the_original_is_its_owners_alone(client: FlaskClient, studio: Studio, cast: Cast) -> None:
    studio.upload(PHOTO)
    asset_id = studio.assets()[0]["id"]
    path = f"/api/v1/games/{studio.game_id}/assets/{asset_id}/original"
    moonbase = Studio(client, cast.moonbase.key, studio.game_id)
    refused(moonbase.ask("GET", path), 403, "PERMISSION_DENIED")
    assert client.get(path).status_code == 401
    assert SECRET not in client.get(f"/uploads/sh/{the_blob().object_key.rpartition('/')[2]}").data
    refused(studio.at("GET", "/assets/unknown/original"), 404, "ASSET_NOT_FOUND")


def test_an_image_of_an_older_version_is_never_shown_with_its_metadata(client: FlaskClient, studio: Studio) -> None:
    address = studio.upload(PHOTO)["publicUrl"]
    shown = client.get(address).data
    of_an_older_version(PHOTO)

    assert client.get(address).data == shown  # made when it is asked for
    assert the_blob().public_key == f"{the_blob().object_key}.public"
    assert client.get(address).data == shown
    assert check_assets().missing == []


def test_older_images_that_are_asked_for_at_once_do_not_take_every_thread(
    client: FlaskClient, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = studio.upload(PHOTO)["publicUrl"]
    of_an_older_version(PHOTO)
    with monkeypatch.context() as full:
        full.setattr(image_files, "_copying", threading.BoundedSemaphore(1))
        assert image_files._copying.acquire(blocking=False)  # somebody else makes one
        answer = client.get(address)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.mimetype == "text/plain"
    assert client.get(address).status_code == 200


def test_the_sweep_makes_the_copies_of_older_images(client: FlaskClient, studio: Studio) -> None:
    address = studio.upload(PHOTO)["publicUrl"]
    shown = client.get(address).data
    of_an_older_version(PHOTO)

    sweep_assets(NOW, scan=True)

    assert stored(f"{the_blob().object_key}.public") == shown
    assert the_blob().public_sha256 == hashlib.sha256(shown).hexdigest()


def test_an_older_file_that_cannot_be_taken_apart_is_not_shown(client: FlaskClient, studio: Studio) -> None:
    address = studio.upload(PHOTO)["publicUrl"]
    of_an_older_version(PHOTO)
    broken = b"\xff\xd8 no picture"
    write_object(the_blob().object_key, io.BytesIO(broken), len(broken), hashlib.md5(broken).digest(), {})

    assert client.get(address).status_code == 404
    assert the_blob().public_key == ""
    sweep_assets(NOW, scan=True)  # it is not tried again and again
    assert client.get(address).status_code == 404


def test_an_older_file_that_is_missing_stops_no_sweep_and_is_tried_again(client: FlaskClient, studio: Studio) -> None:
    lost = studio.upload(PHOTO)
    other = studio.upload(jpeg_with_everything(orientation=3))
    with writing() as session:
        session.execute(update(Blob).values(public_key=None, public_size=None, public_sha256=None))
    bucket().delete([lost["key"], f"{lost['key']}.public", f"{other['key']}.public"])

    sweep_assets(NOW, scan=True)
    assert f"{other['key']}.public" in keys()
    assert client.get(lost["publicUrl"]).status_code == 503

    write_object(lost["key"], io.BytesIO(PHOTO), len(PHOTO), hashlib.md5(PHOTO).digest(), {})  # from a backup
    assert SECRET not in client.get(lost["publicUrl"]).data
    assert client.get(lost["publicUrl"]).status_code == 200


def test_checking_and_sweeping_know_public_copies(client: FlaskClient, studio: Studio) -> None:
    studio.upload(PHOTO)
    for blob_id in due_derivations(db.session()):
        derive(blob_id)
    key = the_blob().object_key
    sweep_assets(NOW, scan=True)
    assert check_assets().missing == []
    assert check_assets().orphans == []
    assert f"{key}.public" in keys()

    bucket().delete([f"{key}.public"])
    assert check_assets().missing == [f"{key}.public"]


def test_a_copy_that_a_killed_confirm_left_is_swept(client: FlaskClient, studio: Studio) -> None:
    key = studio.upload(CLEAN)["key"]
    write_object(f"{key}.public", io.BytesIO(b"left"), 4, hashlib.md5(b"left").digest(), {})
    assert [found.key for found in check_assets().orphans] == [f"{key}.public"]
    sweep_assets(NOW, scan=True)
    assert keys() == {key}


def test_deleting_an_image_takes_its_copy_along(client: FlaskClient, studio: Studio) -> None:
    address = studio.upload(PHOTO)["publicUrl"]
    assert studio.at("DELETE", f"/assets/{studio.assets()[0]['id']}").status_code == 204
    assert client.get(address).status_code == 404
    long_ago = now() - 2 * UNDO_WINDOW - LEASE
    with writing() as session:
        session.execute(update(Blob).values(unused_since=long_ago, held_at=long_ago))
    sweep_assets(NOW, scan=True)
    assert keys() == set()


def test_an_image_of_countless_parts_is_refused_and_leaves_nothing(client: FlaskClient, studio: Studio) -> None:
    data = picture(kind="JPEG")
    data = data[:2] + b"\xff\xfe\0\2" * 600_000 + data[2:]
    presigned = answered(studio.presign(data))
    assert put(presigned["signedUrl"], data, announced(data)["contentType"]) == 200
    assert "more than 500,000 parts" in refused(studio.confirm(presigned, data), 400, "VALIDATION_ERROR")
    assert keys() == set()
    assert studio.assets() == []


def test_what_is_sent_with_metadata_twice_is_one_image(client: FlaskClient, studio: Studio) -> None:
    first = studio.upload(PHOTO)
    studio.new_game("Another")
    second = studio.upload(PHOTO)
    assert first["key"] == second["key"]
    assert len(keys()) == 2
    assert kind_of(client.get(second["publicUrl"]).data) == "JPEG"


def test_exif_of_a_png_and_a_webp_goes_too(client: FlaskClient, studio: Studio) -> None:
    for kind in ("PNG", "WEBP"):
        data = saved(opened(picture(30, 20)), kind, exif=exif(8))
        shown = client.get(studio.upload(data)["publicUrl"]).data
        assert SECRET not in shown
        assert dict(opened(shown).getexif()) == {0x0112: 8}
