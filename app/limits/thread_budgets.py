"""Thread budgets: how many threads each kind of long request may use, so that some are always left for other requests.

A process has as many threads as the sum of the budgets, plus some more. A waiting poll, an upload and an image each use
one for as long as they last, and a live page does until it shares one (app/web/live/shared_streams.py). A request
beyond its budget is refused at once and does not wait for a thread (docs/architecture.md, "Threads").
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.refusals import Unavailable

_IMAGES = 128
_IMAGE_UPLOADS = 16
_DOWNLOADS = 16
# Threads besides those whose number is a setting: for images and downloads.
OTHER_THREADS = _IMAGES + _IMAGE_UPLOADS + _DOWNLOADS


class Slots:
    """A bounded number of slots. One owner gets at most `most_of_one` of them (None: half, rounded up). `limit` is set
    once, at start."""

    def __init__(self, what: str, limit: int, retry_after: int, most_of_one: int | None = None) -> None:
        self.what = what
        self.limit = limit
        self.retry_after = retry_after
        self.most_of_one = most_of_one
        self.in_use = 0
        self._owned: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def share(self) -> int:
        """How many slots one owner may have."""
        return (self.limit + 1) // 2 if self.most_of_one is None else self.most_of_one

    def try_acquire(self, owner: str | None = None) -> bool:
        """Acquire a slot, if one is free and `owner` has less than its share."""
        with self._lock:
            return self._take(owner)

    def _take(self, owner: str | None) -> bool:
        if self.in_use >= self.limit or (owner is not None and self._owned[owner] >= self.share):
            return False
        self.in_use += 1
        if owner is not None:
            self._owned[owner] += 1
        return True

    def acquire(self, owner: str | None = None, name: str = "") -> None:
        """Acquire a slot. Raises Unavailable if none is free, or if `owner` has its share. `name` is the owner's name
        in the refusal."""
        with self._lock:
            full = self.in_use >= self.limit
            if self._take(owner):
                return
        again = f"Try again in {self.retry_after} seconds."
        if full:
            raise Unavailable(f"All {self.limit} places for {self.what} are in use. {again}", self.retry_after)
        raise Unavailable(
            f"{name} uses {self.share} of the {self.limit} places for {self.what}, the maximum for one owner. {again}",
            self.retry_after,
        )

    def free(self, owner: str | None = None) -> None:
        with self._lock:
            self.in_use -= 1
            if owner is not None:
                self._owned[owner] -= 1
                if not self._owned[owner]:
                    del self._owned[owner]

    @contextmanager
    def acquired(self, owner: str | None = None, name: str = "") -> Iterator[None]:
        """A slot for the length of the block."""
        self.acquire(owner, name)
        try:
            yield
        finally:
            self.free(owner)


class Calls:
    """The budget of all requests without one of their own. The web server counts requests in threads, and refuses new
    ones beyond the budget at once: a request that waits for a thread only makes all others slower."""

    def __init__(self, limit: int, retry_after: int) -> None:
        self.limit = limit
        self.retry_after = retry_after
        self.in_threads = 0  # requests of every kind; the web server sets it

    @property
    def in_use(self) -> int:
        return max(0, self.in_threads - sum(slots.in_use for slots in _LONG))

    @property
    def load(self) -> float:
        """The used part of the budget: 1.0 and more when it is used up."""
        return self.in_use / self.limit


streams = Slots("live pages", 1000, retry_after=3)
# An agent waits with one poll. Some more, because a restarted one leaves its last poll behind; not all, because one
# token could keep every other server from waiting.
waiting_polls = Slots("waiting polls", 512, retry_after=2, most_of_one=4)
raw_uploads = Slots("uploads through the app", 8, retry_after=30)
# They read two large objects and wait for each other, so they could use up all other threads.
comparisons = Slots("comparisons of builds", 4, retry_after=10)
image_uploads = Slots("images sent through the app", _IMAGE_UPLOADS, retry_after=10)
# A slow reader keeps its slot but no thread (app/runtime/web_server/connection_worker.py).
images = Slots("images that are being uploaded", _IMAGES, retry_after=1)
downloads = Slots("downloads through the app", _DOWNLOADS, retry_after=30)
_LONG = (streams, waiting_polls, raw_uploads, comparisons, image_uploads, images, downloads)
calls = Calls(128, retry_after=5)


def may_pass(slots: Slots) -> bool:
    """Whether a request that gets one of these slots in its view may pass a full budget of calls. As many may be on
    their way to their view as there are free slots: requests that only look like such ones cannot use up all
    threads."""
    return calls.in_use < calls.limit + slots.limit - slots.in_use
