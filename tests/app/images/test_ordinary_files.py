"""Images as people and their programs make them: damaged metadata, other names for a type, other formats."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image

from app.data.extensions import db
from app.data.models.asset import Blob
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Game
from app.images import variant_jobs
from app.images.foreign_formats import foreign_format
from app.images.gallery import GalleryFilter, gallery
from app.images.image_limits import image_type
from app.images.image_processes import ImageProcesses, inspection_processes
from app.images.variant_jobs import MAX_ATTEMPTS, derive, due_derivations
from app.refusals import Unavailable
from tests.app.api.v1.calling import Studio, answered, put, refused
from tests.app.images.hostile import chunk
from tests.app.images.images import opened, picture, saved

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 200
MALFORMED = b"\0\0\x11\0\0\x01\x04\0"


def png_with(*chunks: bytes, mode: str = "RGB") -> bytes:
    data = picture(64, 40, mode=mode)
    return data[:33] + b"".join(chunks) + data[33:]


def spoilt(whole: bytes) -> bytes:
    """A chunk whose checksum is wrong."""
    return whole[:-1] + bytes((whole[-1] ^ 1,))


def jpeg_with(exif: bytes, size: tuple[int, int] = (64, 40)) -> bytes:
    data = picture(*size, kind="JPEG")
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def webp_with(exif: bytes) -> bytes:
    data = picture(64, 40, kind="WEBP", exif=b"Exif\0\0II*\0")
    body = data[12 : data.index(b"EXIF")] + b"EXIF" + struct.pack("<I", len(exif)) + exif + bytes(len(exif) % 2)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def sideways_exif() -> bytes:
    """Orientation 6, beside a resolution of the wrong type, which makes Pillow's reader fail."""
    tags = struct.pack("<HHLHH", 0x112, 3, 1, 6, 0) + struct.pack("<HHL4s", 0x11A, 2, 3, b"72\0\0")
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 2) + tags + bytes(4)


LARGE = b"name\0\0" + zlib.compress(b"history " * 400_000)
CUT_WEBP = webp_with(bytes(200))
WHOLE = {
    "PNG, malformed EXIF": png_with(chunk(b"eXIf", MALFORMED)),
    "PNG, large zTXt": png_with(chunk(b"zTXt", LARGE)),
    "PNG, large iTXt": png_with(chunk(b"iTXt", b"name\0\1\0\0\0" + LARGE[6:])),
    "PNG, large profile": png_with(chunk(b"iCCP", LARGE)),
    "PNG, text with a wrong CRC": png_with(spoilt(chunk(b"tEXt", b"Software\0X"))),
    "PNG, EXIF with a wrong CRC": png_with(spoilt(chunk(b"eXIf", sideways_exif()))),
    "PNG, profile with a wrong CRC": png_with(spoilt(chunk(b"iCCP", b"p\0\0" + zlib.compress(b"profile")))),
    "PNG, transparency with a wrong CRC": png_with(spoilt(chunk(b"tRNS", b"\0\0\0\0\0\0"))),
    "PNG, animation with a wrong CRC": png_with(spoilt(chunk(b"acTL", b"\0\0\0\1\0\0\0\0"))),
    "PNG, gamma that is too short": png_with(chunk(b"gAMA", b"\0")),
    "PNG without its end": picture(64, 40)[:-12],
    "JPEG, malformed EXIF": jpeg_with(b"Exif\0\0" + MALFORMED),
    "JPEG, profile without a number": jpeg_with(b"ICC_PROFILE\0").replace(b"\xff\xe1\0\x0e", b"\xff\xe2\0\x0e"),
    "JPEG without its last two bytes": picture(64, 40, kind="JPEG")[:-2],
    "progressive JPEG without its last two bytes": picture(64, 40, kind="JPEG", progressive=True)[:-2],
    "grey JPEG without its last two bytes": picture(64, 40, mode="L", kind="JPEG")[:-2],
    "WebP, malformed EXIF": webp_with(MALFORMED),
    "WebP, EXIF that is cut off": CUT_WEBP[:-100],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_metadata_is_never_a_reason_to_refuse_an_image(studio: Studio, name: str) -> None:
    presigned = studio.upload(WHOLE[name])
    (blob_id,) = due_derivations(db.session())
    derive(blob_id)
    db.session.rollback()
    blob = db.session.query(Blob).one()
    assert (blob.derivation, blob.width_px, blob.height_px) == ("ready", 64, 40)
    shown = studio.client.get(presigned["publicUrl"])
    assert opened(shown.data).size == (64, 40)
    assert b"history" not in shown.data
    assert opened(studio.client.get(f"{presigned['publicUrl']}.v1-256.webp").data).size == (64, 40)


@pytest.mark.parametrize(
    "data",
    [
        jpeg_with(b"Exif\0\0" + sideways_exif(), (80, 40)),
        picture(80, 40)[:33] + chunk(b"eXIf", sideways_exif()) + picture(80, 40)[33:],
    ],
    ids=["JPEG", "PNG"],
)
def test_an_image_is_turned_by_its_orientation_alone(studio: Studio, data: bytes) -> None:
    presigned = studio.upload(data)
    for blob_id in due_derivations(db.session()):
        derive(blob_id)
    (asset,) = studio.assets()
    assert (asset["widthPx"], asset["heightPx"]) == (40, 80)
    assert opened(studio.client.get(f"{presigned['publicUrl']}.v1-256.webp").data).size == (40, 80)
    public = opened(studio.client.get(presigned["publicUrl"]).data)
    assert dict(public.getexif()) == {0x0112: 6}


@pytest.mark.parametrize("missing", [3, 40, 400])
def test_a_jpeg_that_lacks_more_than_its_end_is_refused(tmp_path: Path, missing: int) -> None:
    """Decoders fill up what is missing, so the check must notice it."""
    noise = saved(Image.effect_noise((300, 200), 90), "JPEG")
    path = tmp_path / "noise.jpg"
    path.write_bytes(noise[:-2])
    assert inspection_processes.examine(path).width == 300
    path.write_bytes(noise[: -2 - missing])
    with pytest.raises(Exception, match="is damaged: it ends before its picture does"):
        inspection_processes.examine(path)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (HEIC, "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafheic", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (saved(Image.new("RGB", (8, 8)), "TIFF"), "TIFF"),
        (saved(Image.new("RGB", (8, 8)), "BMP"), "BMP"),
        (saved(Image.new("RGB", (8, 8)), "ICO"), "an icon (ICO)"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"<svg xmlns=", "SVG"),
        (b"%PDF-1.7", "a PDF document"),
    ],
)
def test_an_image_of_another_format_is_named_with_what_to_do(head: bytes, name: str) -> None:
    found = foreign_format(head)
    assert found is not None
    assert found.name == name
    assert found.remedy.startswith("Export it as ")


@pytest.mark.parametrize("head", [b"", b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", b"\x89PNG\r\n\x1a\n", b"text"])
def test_other_bytes_are_not_named(head: bytes) -> None:
    assert foreign_format(head) is None


def test_a_heic_image_that_is_named_jpg_is_told_so(studio: Studio) -> None:
    presigned = answered(studio.presign(HEIC, contentType="image/jpeg", fileName="IMG_1.jpg"))
    assert put(presigned["signedUrl"], HEIC, "image/jpeg") == 200
    message = refused(studio.confirm(presigned, HEIC), 400, "VALIDATION_ERROR")
    assert "The uploaded file is HEIC, whatever its name is, and not a PNG, JPEG, WebP or GIF image" in message
    assert "Export it as JPEG: on a Mac in Preview" in message


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("image/jpg", "image/jpeg"),
        ("image/PNG", "image/png"),
        ("IMAGE/JPEG", "image/jpeg"),
        ("image/png; charset=binary", "image/png"),
        ("image/webp;q=1", "image/webp"),
        ("image/pjpeg", "image/jpeg"),
        ("image/x-png", "image/png"),
        (" image/gif ", "image/gif"),
        ("image/heic", None),
        ("text/plain", None),
        ("image/", None),
        ("png", None),
        ("", None),
    ],
)
def test_a_type_is_taken_as_what_it_means(sent: str, meant: str | None) -> None:
    assert image_type(sent) == meant


@pytest.mark.parametrize("sent", ["image/PNG", "image/png; charset=binary", "image/x-png"])
def test_presign_and_confirm_take_other_names_of_a_type(studio: Studio, sent: str) -> None:
    """Some clients PUT with the type that they announced, others with the one in the answer."""
    data = picture()
    for put_as in ("image/png", sent):
        presigned = answered(studio.presign(data, contentType=sent))
        assert presigned["contentType"] == "image/png"
        assert put(presigned["signedUrl"], data, put_as) == 200
    assert answered(studio.confirm(presigned, data, contentType=sent)) == {"ok": True}
    assert studio.assets()[0]["mimeType"] == "image/png"


@pytest.mark.parametrize(
    ("sent", "name"), [("image/heic", "HEIC"), ("image/mif1", "HEIC"), ("image/avif", "AVIF"), ("image/tiff", "TIFF")]
)
def test_a_known_type_that_is_not_accepted_is_named(studio: Studio, sent: str, name: str) -> None:
    """The dashboard's script announces the brand in the file as its type."""
    message = refused(studio.presign(picture(), contentType=sent), 400, "VALIDATION_ERROR")
    assert f"must be one of image/png, image/jpeg, image/webp, image/gif; the file is {name}. Export it as" in message


def test_an_error_of_the_app_is_a_reason_and_not_a_pending_image(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong, the row gets a result in one job: within seconds, and not at a later sweep."""
    studio.upload(picture())
    tries: list[str] = []

    def fail(_self: ImageProcesses, path: Path) -> None:
        tries.append(str(path))
        raise TypeError("unexpected")

    monkeypatch.setattr(ImageProcesses, "derive", fail)
    (blob_id,) = due_derivations(db.session())
    derive(blob_id)
    db.session.rollback()
    blob = db.session.query(Blob).one()
    assert len(tries) == MAX_ATTEMPTS
    assert (blob.derivation, blob.derive_attempts) == ("failed", MAX_ATTEMPTS)
    assert blob.derive_error == "The sizes could not be made because of an error in the app, 3 times."


def test_an_image_that_ends_its_worker_again_and_again_is_given_up(studio: Studio) -> None:
    studio.upload(picture())
    blob = db.session.query(Blob).one()
    blob.derive_attempts = MAX_ATTEMPTS  # as three killed workers leave it
    db.session.commit()
    derive(blob.id)
    db.session.rollback()
    blob = db.session.query(Blob).one()
    assert blob.derivation == "failed"
    assert blob.derive_error == "The file could not be decoded: the worker ended, 3 times."


def test_while_storage_is_away_a_pending_image_says_so(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.upload(picture())

    def away(*_: object, **__: object) -> None:
        raise Unavailable("Storage is unreachable.", 5)

    with monkeypatch.context() as patch:
        patch.setattr(variant_jobs, "fetched", away)
        (blob_id,) = due_derivations(db.session())
        derive(blob_id)
    db.session.rollback()
    blob = db.session.query(Blob).one()
    assert (blob.derivation, blob.derive_error, blob.derive_attempts) == ("pending", "Storage is unreachable.", 0)
    blob.derive_at = blob.created_at
    db.session.commit()
    derive(blob_id)
    db.session.rollback()
    blob = db.session.query(Blob).one()
    assert (blob.derivation, blob.derive_error) == ("ready", None)


def test_a_decoder_answers_for_any_image_that_makes_pillow_fail(tmp_path: Path) -> None:
    """An error of any kind is an answer: a decoder that ends without one would be tried again."""
    path = tmp_path / "odd.png"
    data = io.BytesIO(picture(8, 8)).getvalue()
    palette = data[:25] + b"\x03" + data[26:29]  # a palette image without its palette
    path.write_bytes(palette + struct.pack(">I", zlib.crc32(palette[12:29])) + data[33:])
    with pytest.raises(Exception, match=r"damaged|cannot be decoded"):
        inspection_processes.derive(path)


def test_names_with_direction_marks_are_shown_escaped(app: Flask, studio: Studio) -> None:
    studio.upload(picture(), fileName="card\u202egnp.exe")
    (asset,) = studio.assets()
    assert asset["fileName"] == "card\u202egnp.exe"  # the API gives the name as it is
    game = db.session.get_one(Game, studio.game_id)
    (tile,) = gallery(game, GalleryFilter()).images
    assert tile.file_name == r"card\u202egnp.exe"
    subjects = [entry.subject for entry in db.session.query(AuditEntry).filter_by(action="asset.confirmed")]
    assert subjects == [r"card\u202egnp.exe"]
