"""Images nobody should trust: refused with a reason, or taken and made harmless; nothing is left of the refused."""

from __future__ import annotations

import pytest
from PIL import Image, ImageCms

from app.data.extensions import db
from app.data.models.asset import Blob
from app.images.image_limits import MAX_IMAGE_PIXELS
from app.images.variant_jobs import derive, due_derivations
from app.storage.bucket import bucket
from tests.app.api.v1.calling import Studio, answered, put, refused
from tests.app.images import hostile
from tests.app.images.images import opened, picture, saved

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


def confirm(studio: Studio, data: bytes, content_type: str = "image/png") -> str:
    """The message with which these bytes are refused. Nothing may be left of them."""
    presigned = answered(studio.presign(data, contentType=content_type))
    assert put(presigned["signedUrl"], data, content_type) == 200
    message = refused(studio.confirm(presigned, data), 400, "VALIDATION_ERROR")
    assert studio.assets() == []
    assert not list(bucket().objects("uploads/"))
    assert not list(bucket().objects("staging/"))
    assert db.session.query(Blob).count() == 0
    return message


def derived(studio: Studio, data: bytes) -> list[Image.Image]:
    """The sizes of an image, decoded; checks that none of them carries anything but its picture."""
    presigned = studio.upload(data)
    for blob_id in due_derivations(db.session()):
        derive(blob_id)
    body = {"kind": "board", "name": "b", "externalKey": "b"}
    face = {"sideKey": "front", "key": presigned["key"], "sourceUrl": presigned["publicUrl"]}
    face |= {"contentType": presigned["contentType"], "widthPx": 1, "heightPx": 1}
    made = answered(studio.at("POST", "/components", json=body | {"assets": [face]}), 201)
    front = made["payload"]["imageFaces"]["front"]
    assert front["derivation"] == "ready"
    images: list[Image.Image] = []
    for variant in front["variants"]:
        answer = studio.client.get(variant["url"])
        assert answer.mimetype == "image/webp"
        image = opened(answer.data)
        assert image.format == "WEBP"
        assert not {"exif", "icc_profile", "xmp"} & set(image.info), image.info
        assert b"script" not in answer.data
        assert image.size == (variant["widthPx"], variant["heightPx"])
        images.append(image)
    return images


def test_a_bomb_is_refused_by_its_header(studio: Studio) -> None:
    message = confirm(studio, hostile.bomb())
    assert "30,000 × 30,000" in message
    assert f"{MAX_IMAGE_PIXELS:,}" in message


def test_a_giant_header_is_refused(studio: Studio) -> None:
    assert "2,147,483,647" in confirm(studio, hostile.giant_header())


def test_a_giant_canvas_is_refused_before_room_is_made_for_it(studio: Studio) -> None:
    assert "16,384 × 16,384" in confirm(studio, hostile.giant_webp(), "image/webp")


def test_a_truncated_image_is_refused(studio: Studio, subtests: pytest.Subtests) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "GIF"):
        data = picture(200, 280, kind=kind)
        for share in (0.1, 0.5, 0.95):
            with subtests.test(kind=kind, share=share):
                message = confirm(studio, data[: int(len(data) * share)], f"image/{kind.lower()}")
                assert "damaged" in message or "not a PNG" in message


NO_IMAGES = [
    b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    b"<!doctype html><script>alert(1)</script>",
    b"%PDF-1.7 and so on",
    b"\0",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"RIFF\x04\0\0\0WEBP",
    saved(Image.new("RGB", (8, 8)), "BMP"),
    saved(Image.new("RGB", (8, 8)), "TIFF"),
    saved(Image.new("RGB", (8, 8)), "ICO"),
]


def test_what_is_no_image_we_take_is_refused(studio: Studio, subtests: pytest.Subtests) -> None:
    for data in NO_IMAGES:
        with subtests.test(data=data[:20]):
            message = confirm(studio, data)
            assert "PNG, JPEG, WebP or GIF" in message or "damaged" in message


def test_a_damaged_chunk_is_refused(studio: Studio) -> None:
    data = bytearray(picture(200, 280))
    data[len(data) // 2] ^= 0xFF
    assert "damaged" in confirm(studio, bytes(data))


def test_a_profile_that_unpacks_a_thousandfold_does_no_harm(studio: Studio) -> None:
    data = hostile.profile_bomb(64 * 1024**2)
    presigned = answered(studio.presign(data))
    put(presigned["signedUrl"], data, "image/png")
    answer = studio.confirm(presigned, data)
    assert answer.status_code in {200, 400}, answer.text  # refused, or its profile passed over


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_page_behind_an_image_is_never_a_page(studio: Studio, kind: str) -> None:
    data = hostile.html_polyglot(picture(kind=kind))
    presigned = answered(studio.presign(data, contentType=f"image/{kind.lower()}"))
    put(presigned["signedUrl"], data, f"image/{kind.lower()}")
    if studio.confirm(presigned, data).status_code == 200:
        assert_harmless(studio, presigned["publicUrl"], f"image/{kind.lower()}")
        for blob_id in due_derivations(db.session()):
            derive(blob_id)
        assert b"script" not in studio.client.get(f"{presigned['publicUrl']}.v1-256.webp").data


def test_a_script_that_is_a_gif_is_served_as_a_gif(studio: Studio) -> None:
    presigned = studio.upload(hostile.comment_polyglot())
    assert_harmless(studio, presigned["publicUrl"], "image/gif")


def assert_harmless(studio: Studio, address: str, content_type: str) -> None:
    answer = studio.client.get(address)
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_shown(studio: Studio, kind: str) -> None:
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "blue", "green")]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, lossless=True)
    small, *_ = derived(studio, data)
    assert not getattr(small, "is_animated", False)
    red, green, blue = pixel(small)[:3]
    assert red > 200
    assert green < 60
    assert blue < 60


def test_cmyk_becomes_srgb(studio: Studio) -> None:
    cyan = saved(Image.new("CMYK", (60, 40), (255, 0, 0, 0)), "JPEG", quality=95)
    image = derived(studio, cyan)[0]
    assert image.mode == "RGB"
    red, green, blue = pixel(image)[:3]
    assert red < 60
    assert min(green, blue) > 150


def test_16_bit_greys_are_scaled_and_not_cut(studio: Studio) -> None:
    deep = Image.new("I;16", (60, 40), 32_768)
    red, green, blue = pixel(derived(studio, saved(deep))[0])[:3]
    assert {red, green, blue} <= set(range(120, 136))


def test_colours_of_a_wide_profile_become_srgb(studio: Studio) -> None:
    """The same numbers are another colour in a profile whose red and green are exchanged."""
    swapped = swapped_profile()
    data = saved(Image.new("RGB", (60, 40), (255, 0, 0)), "PNG", icc_profile=swapped)
    red, green, _ = pixel(derived(studio, data)[0])[:3]
    assert green > red + 100


def test_a_broken_profile_is_passed_over(studio: Studio) -> None:
    data = saved(Image.new("RGB", (60, 40), (255, 0, 0)), "PNG", icc_profile=b"no profile at all" * 20)
    red, green, _ = pixel(derived(studio, data)[0])[:3]
    assert red > 200
    assert green < 60


def swapped_profile() -> bytes:
    """sRGB with the tags of red and green exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_kept(studio: Studio, mode: str) -> None:
    image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    image.paste((250, 250, 250, 255), (0, 0, 30, 40))
    small = derived(studio, saved(image.convert(mode), "PNG"))[0].convert("RGBA")
    assert alpha(small, (10, 20)) > 250
    assert alpha(small, (50, 20)) < 5


def test_orientation_is_applied_and_metadata_dropped(studio: Studio) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned to the right
    exif[0x010E] = "a secret description"
    image = Image.new("RGB", (80, 40), "blue")
    image.paste("red", (0, 0, 40, 40))
    data = saved(image, "JPEG", exif=exif, quality=95)

    small = derived(studio, data)[0]

    assert small.size == (40, 80)
    assert pixel(small, (20, 10))[0] > 200  # the left half is on top now
    assert pixel(small, (20, 70))[2] > 200
    (asset,) = studio.assets()
    assert (asset["widthPx"], asset["heightPx"]) == (40, 80)


def test_an_image_is_never_enlarged(studio: Studio) -> None:
    assert [image.size for image in derived(studio, picture(1000, 300))] == [(256, 77), (768, 230), (1000, 300)]


def test_a_tiny_image_has_one_size_under_three_names(studio: Studio) -> None:
    assert [image.size for image in derived(studio, picture(3, 5))] == [(3, 5)] * 3


@pytest.mark.parametrize("size", [(1, 9000), (9000, 1)])
def test_a_line_is_an_image_too(studio: Studio, size: tuple[int, int]) -> None:
    assert [max(image.size) for image in derived(studio, picture(*size))] == [256, 768, 2048]


def pixel(image: Image.Image, where: tuple[int, int] | None = None) -> tuple[int, ...]:
    found = image.convert("RGB").getpixel(where or (image.width // 2, image.height // 2))
    assert isinstance(found, tuple)
    return tuple(int(value) for value in found)


def alpha(image: Image.Image, where: tuple[int, int]) -> int:
    found = image.getpixel(where)
    assert isinstance(found, tuple)
    return int(found[3])
