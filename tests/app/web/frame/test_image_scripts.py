"""What pages compute of files: SHA-256 of their beginning, and a ThumbHash read; run in Node."""

from __future__ import annotations

import base64
import hashlib
import random

import pytest
from PIL import Image

from app.images.decoding.thumbhash import thumbhash
from tests.app.web.scripts import module, run


def test_the_digest_of_a_files_beginning_is_its_sha256() -> None:
    content = random.Random(1).randbytes(700_000)  # of three slices
    sizes = [0, 1, 262_144, 262_145, 700_000, 900_000]
    digests = run(
        f"""
        import {{ digestOf }} from {module("sha256.js")};
        const [content, sizes] = given;
        const file = new Blob([Buffer.from(content, "base64")]);
        console.log(JSON.stringify(await Promise.all(sizes.map((size) => digestOf(file, size)))));
        """,
        [base64.b64encode(content).decode(), sizes],
    )
    assert digests == [hashlib.sha256(content[:size]).hexdigest() for size in sizes]


def pixels(image: Image.Image, size: tuple[int, int]) -> list[int]:
    """The placeholder of an image, as the browser paints it: four bytes a pixel."""
    found = run(
        f"""
        import {{ bytesOf, pixels }} from {module("images/thumbhash.js")};
        const [hash, width, height] = given;
        console.log(JSON.stringify([...pixels(bytesOf(hash), width, height)]));
        """,
        [base64.b64encode(thumbhash(image)).decode(), *size],
    )
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("transparent", [False, True])
def test_a_placeholder_looks_like_its_image(transparent: bool) -> None:
    # Two colours, side by side, over a corner that is darker: lightness, both colour differences, opacity.
    image = Image.new("RGBA", (32, 20), (200, 60, 40, 255))
    image.paste((40, 90, 190, 255), (16, 0, 32, 20))
    if transparent:
        image.paste((0, 0, 0, 0), (0, 12, 32, 20))
    shown = pixels(image, (32, 20))
    for x, y in ((5, 4), (27, 4)):
        wanted = image.getpixel((x, y))
        assert isinstance(wanted, tuple)
        got = shown[(y * 32 + x) * 4 :][:4]
        # A blur, and by the format's own rule a little more colourful than the image.
        assert all(abs(one - other) < 60 for one, other in zip(got, wanted, strict=True)), (x, y, got, wanted)
    assert (shown[(18 * 32 + 16) * 4 + 3] < 90) == transparent


def test_one_colour_stays_itself() -> None:
    shown = pixels(Image.new("RGB", (10, 10), (90, 140, 60)), (8, 8))
    assert all(abs(got - wanted) <= 6 for got, wanted in zip(shown[:4], (90, 140, 60, 255), strict=True)), shown[:4]
