"""What is taken out of an image file that everybody may see, and what must stay: every pixel, colour and turn."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageCms, ImageOps, ImageSequence, PngImagePlugin

from app.images.metadata.pieces import DamagedContainer
from app.images.metadata.stripping import without_metadata
from tests.app.images.hostile import chunk, comment_polyglot, html_polyglot, png
from tests.app.images.images import opened, picture, saved

# Of a sample that claims to hold more pictures than it does.
pytestmark = pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO file")

SECRET = b"SECRET-PLACE-52.5200N-13.4050E"
TEXT = SECRET.decode()
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
MIME = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:li>' + SECRET + b"</rdf:li></x:xmpmeta>"
ORIENTATION, GPS_IFD, MAKER, ARTIST = 0x0112, 0x8825, 0x010F, 0x013B


def exif(orientation: int | None = None) -> Image.Exif:
    """As a camera writes it: maker, artist, place."""
    found = Image.Exif()
    found[MAKER], found[ARTIST] = TEXT, TEXT
    found.get_ifd(GPS_IFD).update({1: "N", 2: (52.0, 31.0, 12.0), 29: TEXT})
    if orientation:
        found[ORIENTATION] = orientation
    return found


def strip(data: bytes, tmp_path: Path, orientation: int = 1) -> bytes:
    """The file that everybody may see; `data` itself when there was nothing to take out."""
    path = tmp_path / "image"
    path.write_bytes(data)
    with without_metadata(path, MIME[kind_of(data)], orientation) as clean:
        if clean is None:
            return data
        found = clean.file.read()
    assert len(found) == clean.size
    assert found != data
    return found


def kind_of(data: bytes) -> str:
    kinds = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"RIFF": "WEBP", b"GIF8": "GIF"}
    return next(kind for magic, kind in kinds.items() if data.startswith(magic))


def text_chunks() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", TEXT)
    info.add_text("Comment", TEXT, zip=True)
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return info


def frames(count: int = 4) -> list[Image.Image]:
    return [opened(picture(40, 30, seed=seed)).convert("P") for seed in range(count)]


def animated(kind: str, **more: object) -> bytes:
    first, *others = frames()
    return saved(first, kind, save_all=True, append_images=others, duration=[50, 100, 150, 200], loop=3, **more)


def jpeg_with_everything(orientation: int | None = None) -> bytes:
    data = picture(
        64, 48, kind="JPEG", exif=exif(orientation), xmp=XMP, comment=SECRET, icc_profile=PROFILE, progressive=True
    )
    thumbnail = b"\xff\xd8" + SECRET + b"\xff\xd9"
    more = [
        (0xE0, b"JFXX\0\x10" + thumbnail),
        (0xE2, b"MPF\0" + SECRET),
        (0xED, b"Photoshop 3.0\0" + SECRET),
        (0xEF, SECRET),
        (0xE2, b"FPXR\0" + SECRET),
    ]
    inserted = b"".join(bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body for marker, body in more)
    return data[:2] + inserted + data[2:] + picture(8, 8, kind="JPEG", comment=SECRET) + SECRET


def samples() -> Iterator[tuple[str, bytes]]:
    yield "png", picture(pnginfo=text_chunks(), exif=exif(), icc_profile=PROFILE)
    yield "png with a palette", picture(mode="P", pnginfo=text_chunks(), transparency=3)
    yield "apng", animated("PNG", pnginfo=text_chunks())
    yield "png with private chunks", png(8, 8, b"\0" * 25 * 8, extra=chunk(b"prVt", SECRET) + chunk(b"tIME", b"\7" * 7))
    yield "jpeg", jpeg_with_everything()
    yield "grey jpeg", picture(mode="L", kind="JPEG", exif=exif(), comment=SECRET)
    yield "cmyk jpeg", picture(mode="CMYK", kind="JPEG", exif=exif(), comment=SECRET)
    yield "webp", picture(kind="WEBP", exif=exif(), xmp=XMP, icc_profile=PROFILE)
    yield "lossless webp", picture(mode="RGBA", kind="WEBP", lossless=True, exif=exif(), xmp=XMP)
    yield "animated webp", animated("WEBP", exif=exif(), xmp=XMP)
    yield "mpo", saved(opened(picture()), "MPO", save_all=True, append_images=[opened(picture(seed=2))], exif=exif())
    yield "gif", picture(kind="GIF", comment=SECRET)
    yield "animated gif", animated("GIF", comment=SECRET)
    for name, data in (("png", picture()), ("gif", picture(kind="GIF")), ("webp", picture(kind="WEBP"))):
        yield f"{name} with something behind it", data + SECRET


SAMPLES = dict(samples())


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_but_the_picture_is_left(name: str, tmp_path: Path) -> None:
    data = SAMPLES[name]
    clean = strip(data, tmp_path)

    assert SECRET not in clean
    assert zlib.compress(SECRET) not in clean
    before, after = opened(data), opened(clean)
    assert not after.getexif()
    assert not {"comment", "xmp", "exif", "XML:com.adobe.xmp", "Author", "Comment", "photoshop"} & after.info.keys()
    assert not getattr(after, "text", {})
    assert (after.size, after.mode) == (before.size, before.mode)
    assert after.info.get("icc_profile") == before.info.get("icc_profile")
    assert after.info.get("transparency") == before.info.get("transparency")
    for info in ("loop", "gamma"):
        assert after.info.get(info) == before.info.get(info)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_frame_is_the_same_to_the_last_bit(name: str, tmp_path: Path) -> None:
    data = SAMPLES[name]
    before, after = (Image.open(io.BytesIO(one)) for one in (data, strip(data, tmp_path)))
    if before.format == "MPO":
        assert after.format == "JPEG"  # the first of several
        assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()
        return
    pairs = list(zip(ImageSequence.all_frames(before), ImageSequence.all_frames(after), strict=True))
    assert len(pairs) == (4 if "a" in name and ("apng" in name or "animated" in name) else 1)
    for old, new in pairs:
        assert old.convert("RGBA").tobytes() == new.convert("RGBA").tobytes()
        assert old.info.get("duration") == new.info.get("duration")


@pytest.mark.parametrize("name", SAMPLES)
def test_the_result_has_nothing_more_to_take_out(name: str, tmp_path: Path) -> None:
    clean = strip(SAMPLES[name], tmp_path)
    assert strip(clean, tmp_path) is clean


@pytest.mark.parametrize(
    "data",
    [picture(), picture(mode="P"), picture(kind="JPEG"), picture(kind="WEBP"), picture(kind="GIF"), animated("GIF")],
    ids=["png", "palette", "jpeg", "webp", "gif", "animated gif"],
)
def test_a_file_that_holds_only_its_picture_is_kept_as_it_is(data: bytes, tmp_path: Path) -> None:
    assert strip(data, tmp_path) is data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_still_turned_as_it_was(kind: str, orientation: int, tmp_path: Path) -> None:
    data = jpeg_with_everything(orientation) if kind == "JPEG" else picture(64, 48, kind=kind, exif=exif(orientation))
    clean = strip(data, tmp_path, orientation)

    assert SECRET not in clean
    found = opened(clean).getexif()
    assert dict(found) == ({ORIENTATION: orientation} if orientation > 1 else {})
    assert not found.get_ifd(GPS_IFD)
    turned = [ImageOps.exif_transpose(opened(one)).convert("RGB") for one in (data, clean)]
    assert turned[0].size == turned[1].size
    assert ImageChops.difference(*turned).getbbox() is None
    assert strip(clean, tmp_path, orientation) is clean


def test_a_thumbnail_in_a_jfif_header_goes(tmp_path: Path) -> None:
    data = picture(kind="JPEG")
    header = b"JFIF\0\x01\x02\x01\x00\x48\x00\x48"
    small = header + b"\x02\x02" + SECRET[:12]
    with_one = data[:2] + b"\xff\xe0" + struct.pack(">H", len(small) + 2) + small + data[20:]
    clean = strip(with_one, tmp_path)
    assert SECRET[:12] not in clean
    assert clean[6:20] == header + b"\0\0"
    assert opened(clean).tobytes() == opened(data).tobytes()


def test_only_one_profile_is_read_and_kept(tmp_path: Path) -> None:
    """Each of them may unpack to 4 MiB: a file could hold thousands."""
    profile = chunk(b"iCCP", b"p\0\0" + zlib.compress(PROFILE))
    clean = strip(png(8, 8, b"\0" * 25 * 8, extra=profile * 3), tmp_path)
    assert clean.count(b"iCCP") == 1
    assert opened(clean).info["icc_profile"] == PROFILE


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_bytes_in_the_place_of_a_profile_go(kind: str, tmp_path: Path) -> None:
    data = picture(kind=kind, icc_profile=SECRET * 20)
    clean = strip(data, tmp_path)
    assert SECRET not in clean
    assert zlib.compress(SECRET * 20) not in clean
    assert "icc_profile" not in opened(clean).info


def test_a_page_behind_or_inside_an_image_goes(tmp_path: Path) -> None:
    for data in (picture(), picture(kind="JPEG"), picture(kind="GIF"), picture(kind="WEBP")):
        assert b"<script>" not in strip(html_polyglot(data), tmp_path)
    assert b"alert" not in strip(comment_polyglot(), tmp_path)


def test_a_chunk_hidden_in_the_frame_of_an_animation_goes(tmp_path: Path) -> None:
    data = animated("WEBP")
    at = data.index(b"ANMF")
    (size,) = struct.unpack("<I", data[at + 4 : at + 8])
    hidden = b"EXIF" + struct.pack("<I", len(SECRET)) + SECRET
    body = data[12 : at + 4] + struct.pack("<I", size + len(hidden)) + data[at + 8 : at + 8 + size] + hidden
    body += data[at + 8 + size :]
    spoilt = b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
    clean = strip(spoilt, tmp_path)
    assert SECRET not in clean
    assert clean == data


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_that_is_cut_off_is_refused_or_loses_its_metadata(name: str, cut: float, tmp_path: Path) -> None:
    data = SAMPLES[name]
    try:
        clean = strip(data[: int(len(data) * cut)], tmp_path)
    except DamagedContainer:
        return
    assert SECRET not in clean


@pytest.mark.parametrize("name", SAMPLES)
def test_whatever_bytes_come_the_answer_is_a_file_or_a_refusal(name: str, tmp_path: Path) -> None:
    rng = random.Random(name)
    for _ in range(60):
        data = bytearray(SAMPLES[name])
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(12, len(data))] = rng.randrange(256)
        with suppress(DamagedContainer):
            assert strip(bytes(data), tmp_path, rng.randrange(1, 9))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff\xfe\0\2" * 600_000,
        b"GIF89a" + bytes(7) + b"\x2c" + bytes(9) + b"\x08" + b"\1\0" * 600_000,
        b"\x89PNG\r\n\x1a\n" + chunk(b"prVt", b"") * 600_000,
        b"RIFF" + struct.pack("<I", 4 + 8 * 600_000) + b"WEBP" + b"prVt\0\0\0\0" * 600_000,
    ],
    ids=["jpeg", "gif", "png", "webp"],
)
def test_a_file_of_countless_parts_is_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(DamagedContainer, match="more than 500,000 parts"):
        strip(data, tmp_path)
