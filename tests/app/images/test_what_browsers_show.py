"""What Chromium shows is accepted with the same size, whatever its metadata is."""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import pytest

from app.images.decoding.opening import BadImage, Facts, examine
from app.images.decoding.variants import derive
from app.images.image_limits import MAX_IMAGE_PIXELS, VARIANT_SIZES
from app.images.metadata.containers import CONTAINERS
from tests.app.images.odd_metadata import ODD

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
BATCH = 50
FEW, MANY = 60, 2000  # images per format
SHOW = """
([files, type]) => Promise.all(files.map(async (file) => {
  const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([bytes], {type}));
  try {
    await image.decode();
    return [image.naturalWidth, image.naturalHeight];
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(image.src);
  }
}))
"""


@pytest.fixture
def blank(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("mime_type", ODD)
def test_odd_metadata_is_no_reason_to_refuse_an_image(mime_type: str, blank: Page) -> None:
    compare(mime_type, FEW, blank)


@pytest.mark.soak
@pytest.mark.parametrize("mime_type", ODD)
def test_odd_metadata_is_no_reason_to_refuse_any_of_many_images(mime_type: str, blank: Page) -> None:
    compare(mime_type, MANY, blank)


def compare(mime_type: str, count: int, page: Page) -> None:
    """Every image is shown by Chromium, and so is its public copy; all three agree on its size."""
    make = ODD[mime_type]
    shown_images = 0
    for seeds in batches(count):
        images = [make(random.Random(f"{mime_type} {seed}")) for seed in seeds]
        found = [facts_of(data) for data in images]
        copies = [public_copy(data, mime_type, facts) for data, facts in zip(images, found, strict=True)]
        for seed, facts, shown, copy in zip(
            seeds, found, shown_sizes(images, mime_type, page), shown_sizes(copies, mime_type, page), strict=True
        ):
            if shown is None:
                continue
            shown_images += 1
            assert isinstance(facts, Facts), f"seed {seed}: Chromium shows it, but it {facts}"
            assert facts.mime_type == mime_type
            for size in (shown, copy):
                # Chromium shows a WebP as it is stored. Other browsers turn it, and so do we.
                turned = size if mime_type != "image/webp" else sorted(size or (), reverse=facts.width > facts.height)
                assert list(turned or ()) == [facts.width, facts.height], f"seed {seed}"
    assert shown_images > count * 0.7, "these images are not such that Chromium shows them"


def batches(count: int) -> Iterator[range]:
    """Seeds, some at a time."""
    return (range(start, min(start + BATCH, count)) for start in range(0, count, BATCH))


def shown_sizes(images: list[bytes], mime_type: str, page: Page) -> list[list[int] | None]:
    """Width and height of each image in Chromium, or None if it shows nothing."""
    sizes: list[list[int] | None] = page.evaluate(SHOW, [[base64.b64encode(one).decode() for one in images], mime_type])
    return sizes


def facts_of(data: bytes) -> Facts | str:
    """The size, after its sizes were made, or the reason why there are none."""
    try:
        with in_memory(data) as file:
            facts = examine(file, MAX_IMAGE_PIXELS)
        with in_memory(data) as file:
            (small, *_) = derive(file, VARIANT_SIZES, MAX_IMAGE_PIXELS).variants
    except BadImage as bad:
        return str(bad)
    assert (small.width, small.height) == (facts.width, facts.height)
    return facts


def public_copy(data: bytes, mime_type: str, facts: Facts | str) -> bytes:
    if isinstance(facts, str):
        return data
    return b"".join(CONTAINERS[mime_type].strip(data, facts.orientation).read())


@contextmanager
def in_memory(data: bytes) -> Iterator[BinaryIO]:
    """A file that can be mapped, as decoders get it."""
    with os.fdopen(os.memfd_create("image"), "w+b") as file:
        file.write(data)
        file.seek(0)
        yield file
