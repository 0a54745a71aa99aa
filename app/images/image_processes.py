"""Child processes that decode images: bounded in number, memory and time, started on first use, ended with the app."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.config.settings import MIB
from app.images.image_limits import MAX_IMAGE_PIXELS, VARIANT_SIZES
from app.refusals import Unavailable

# Measured at MAX_IMAGE_PIXELS: the largest, a WebP with alpha, takes 900 MiB with Python and Pillow.
MEMORY = 1024 * MIB
_GRACE = 2.0  # the child's own timer fires first
# Packages without their `__init__`: that of `app` would load the whole app into the decoder.
_START = """
import runpy, sys, types
for name, folder in zip(("app", "app.images"), sys.argv[1:], strict=True):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [folder]
runpy.run_module("app.images.decoding.decoder_server", run_name="__main__")
"""
_PACKAGES = (Path(__file__).parent.parent, Path(__file__).parent)


class ImageRefused(Exception):
    """The image cannot be used; the text completes "The file …"."""


class DecoderDied(Exception):
    """The child ended without an answer: it crashed, or memory ran out. The text completes "The file …"."""


class Interrupted(Exception):
    """The process is stopping. This is no result for the image."""


@dataclass(frozen=True)
class Facts:
    """The type and size of an image. Width and height after applying EXIF `orientation` (1 to 8)."""

    mime_type: str
    width: int
    height: int
    orientation: int


@dataclass(frozen=True)
class DerivedVariant:
    """A derived size and its bytes (WebP)."""

    size: int
    width: int
    height: int
    sha256: str
    data: bytes


@dataclass(frozen=True)
class DerivedImage:
    variants: list[DerivedVariant]
    placeholder: bytes  # ThumbHash


class ImageProcesses:
    """At most `limit` images at a time, each in its own child with `seconds` to live. Thread-safe."""

    def __init__(self, purpose: str, limit: int, seconds: int, patience: float = 60) -> None:
        self.purpose = purpose
        self.limit = limit
        self.seconds = seconds
        self.patience = patience
        self.stopping = False
        self._busy = 0
        self._free = threading.Condition()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._started_by = 0
        self._lock = threading.Lock()

    def examine(self, path: Path) -> Facts:
        """Decode the whole image. Raises ImageRefused, DecoderDied or Interrupted, and Unavailable if no slot becomes
        free."""
        result, _ = self._ask({"work": "examine"}, path)
        return Facts(result["type"], result["width"], result["height"], result["orientation"])

    def derive(self, path: Path) -> DerivedImage:
        """Make every size. Raises the same errors as `examine`."""
        result, data = self._ask({"work": "derive", "sizes": VARIANT_SIZES}, path)
        variants: list[DerivedVariant] = []
        for one in result["variants"]:
            part, data = data[: one["length"]], data[one["length"] :]
            variants.append(DerivedVariant(one["size"], one["width"], one["height"], one["sha256"], bytes(part)))
        return DerivedImage(variants, bytes.fromhex(result["placeholder"]))

    def stop(self) -> None:
        """End every child now. Waiting callers get Interrupted."""
        with self._free:
            self.stopping = True
            self._free.notify_all()
        with self._lock:
            self._end_server()

    def _ask(self, job: dict[str, Any], path: Path) -> tuple[dict[str, Any], memoryview]:
        with self._place():
            begun = time.monotonic()
            job |= {"seconds": self.seconds, "memory": MEMORY, "mostPixels": MAX_IMAGE_PIXELS}
            answer = self._answer(json.dumps(job).encode(), path)
            line, _, rest = answer.partition(b"\n")
            if self.stopping or not line.endswith(b"}"):
                raise self._died(time.monotonic() - begun)
        result: dict[str, Any] = json.loads(line)
        if "bad" in result:
            raise ImageRefused(result["bad"])
        return result, memoryview(rest)

    def _died(self, took: float) -> Exception:
        if self.stopping:
            return Interrupted("the app is being stopped")
        if took >= self.seconds - 0.5:
            return ImageRefused(f"took longer than the {self.seconds} seconds that decoding may take")
        return DecoderDied("could not be decoded: the decoder ended without an answer")

    @contextmanager
    def _place(self) -> Iterator[None]:
        with self._free:
            if not self._free.wait_for(lambda: self.stopping or self._busy < self.limit, self.patience):
                raise Unavailable(
                    f"All {self.limit} places for {self.purpose} were in use for {self.patience:g} s. Try again.",
                    5,
                )
            if self.stopping:
                raise Interrupted("the app is being stopped")
            self._busy += 1
        try:
            yield
        finally:
            with self._free:
                self._busy -= 1
                self._free.notify()

    def _answer(self, message: bytes, path: Path) -> bytes:
        ours, theirs = os.pipe()
        with os.fdopen(ours, "rb", buffering=0) as answer:
            try:
                # Opened again, so that the child has its own position and can only read.
                with path.open("rb") as source:
                    self._send(message, [source.fileno(), theirs])
            finally:
                os.close(theirs)
            return self._read(answer.fileno())

    def _send(self, message: bytes, descriptors: list[int]) -> None:
        with self._lock:
            for attempt in (1, 2):
                control = self._running()
                try:
                    socket.send_fds(control, [message], descriptors)
                    return
                except OSError:
                    self._end_server()  # it died; the next one is new
                    if attempt == 2:
                        raise DecoderDied("could not be decoded: the decoder does not start") from None

    def _read(self, descriptor: int) -> bytes:
        """All data until every writer has closed the pipe."""
        parts: list[bytes] = []
        deadline = time.monotonic() + self.seconds + _GRACE
        with selectors.DefaultSelector() as ready:
            ready.register(descriptor, selectors.EVENT_READ)
            while True:
                if not ready.select(max(0.0, deadline - time.monotonic())):
                    with self._lock:  # it did not end by its own timer
                        self._end_server()
                    return b""
                part = os.read(descriptor, MIB)
                if not part:
                    return b"".join(parts)
                parts.append(part)

    def _running(self) -> socket.socket:
        """The control socket of this process's decoder server. With the lock held."""
        if self.stopping:
            raise Interrupted("the app is being stopped")
        if self._control is not None and self._started_by == os.getpid():
            return self._control
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, *map(str, _PACKAGES)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                # A decoder must not have our keys and addresses in its memory. Large pages, if the kernel offers them:
                # a new child touches some 60 MB for a picture, which costs 20 ms of page faults at 4 KiB each.
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
                cwd="/",
                start_new_session=True,
            )
        self._control, self._started_by = ours, os.getpid()
        return ours

    def _end_server(self) -> None:
        """Kill the decoder server and its children. With the lock held."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._server is not None and self._started_by == os.getpid():
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
        self._server = None


# Requests use the first, background work the second, so that a full queue of derivations does not delay a confirm.
inspection_processes = ImageProcesses("checking images", 2, seconds=20)
derivation_processes = ImageProcesses("making sizes", 2, seconds=25)
