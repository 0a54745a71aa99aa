"""What Chromium shows is accepted with the same size, whatever its metadata is."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
(addresses) => Promise.all(addresses.map(async (address) => {
  const image = new Image();
  image.src = address;
  try {
    await image.decode();
    return [image.naturalWidth, image.naturalHeight];
  } catch {
    return null;
  }
}))
"""


class Window:
    """A page of Chromium, and a server that it loads images from. As arguments of a script, some megabytes take the
    browser half a minute."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._files: dict[str, tuple[bytes, str]] = {}
        self._count = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._page.close()

    def shown_sizes(self, images: list[bytes], mime_type: str) -> list[list[int] | None]:
        """Width and height of each image in Chromium, or None if it shows nothing."""
        self._files = {f"/{self._count + index}": (data, mime_type) for index, data in enumerate(images)}
        self._count += len(images)
        base = f"http://127.0.0.1:{self._server.server_port}"
        sizes: list[list[int] | None] = self._page.evaluate(SHOW, [f"{base}{path}" for path in self._files])
        return sizes

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        window = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                data, mime_type = window._files[self.path]
                self.send_response(200)
                self.send_header("Content-Type", mime_type)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Not into the test's output."""

        return Handler


@pytest.fixture
def window(chromium: Browser) -> Iterator[Window]:
    shown = Window(chromium.new_page())
    yield shown
    shown.close()


@pytest.mark.parametrize("mime_type", ODD)
def test_odd_metadata_is_no_reason_to_refuse_an_image(mime_type: str, window: Window) -> None:
    compare(mime_type, FEW, window)


@pytest.mark.soak
@pytest.mark.parametrize("mime_type", ODD)
def test_odd_metadata_is_no_reason_to_refuse_any_of_many_images(mime_type: str, window: Window) -> None:
    compare(mime_type, MANY, window)


def compare(mime_type: str, count: int, window: Window) -> None:
    """Every image is shown by Chromium, and so is its public copy; all three agree on its size."""
    make = ODD[mime_type]
    shown_images = 0
    for seeds in batches(count):
        images = [make(random.Random(f"{mime_type} {seed}")) for seed in seeds]
        found = [facts_of(data) for data in images]
        copies = [public_copy(data, mime_type, facts) for data, facts in zip(images, found, strict=True)]
        originals, stripped = window.shown_sizes(images, mime_type), window.shown_sizes(copies, mime_type)
        for seed, facts, shown, copy in zip(seeds, found, originals, stripped, strict=True):
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
