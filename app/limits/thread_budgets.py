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


class InThreads:
    """How many requests in threads count as one kind."""

    def __init__(self) -> None:
        self.in_use = 0
        self._lock = threading.Lock()

    def add(self, number: int) -> None:
        """Count so many more, or fewer."""
        with self._lock:
            self.in_use += number


class CountedRequest:
    """One request, which counts as a call, or as one on its way to a slot, while it is in a thread. With its first slot
    it counts there, and not here any more, also when it comes back to a thread."""

    def __init__(self, kind: InThreads) -> None:
        self._kind = kind
        self._counted = 0
        self._has_slot = False

    def enter_thread(self) -> None:
        """It waits for a thread, and will soon have one."""
        if not self._has_slot:
            self._counted += 1
            self._kind.add(1)

    def leave_thread(self) -> None:
        """Its thread is free."""
        if self._counted:
            self._counted -= 1
            self._kind.add(-1)

    def acquired_slot(self) -> None:
        """It has a slot now. Called in its thread."""
        self._has_slot = True
        self.leave_thread()


_current = threading.local()


@contextmanager
def answering(request: CountedRequest | None) -> Iterator[None]:
    """Within the block, this thread answers the request: a slot that is acquired is the request's."""
    _current.request = request
    try:
        yield
    finally:
        _current.request = None


class Slots:
    """A bounded number of slots. One owner gets at most `most_of_one` of them (None: half, rounded up). `limit` is set
    once, at start. `arriving`: requests on their way to the view that acquires a slot."""

    def __init__(self, what: str, limit: int, retry_after: int, most_of_one: int | None = None) -> None:
        self.what = what
        self.limit = limit
        self.retry_after = retry_after
        self.most_of_one = most_of_one
        self.in_use = 0
        self.arriving = InThreads()
        self._owned: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def share(self) -> int:
        """How many slots one owner may have."""
        return (self.limit + 1) // 2 if self.most_of_one is None else self.most_of_one

    @property
    def refusal(self) -> str:
        """What a request is told when all slots are in use, or about to be."""
        return f"All {self.limit} places for {self.what} are in use. Try again in {self.retry_after} seconds."

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
        request: CountedRequest | None = getattr(_current, "request", None)
        if request is not None:
            request.acquired_slot()
        return True

    def acquire(self, owner: str | None = None, name: str = "") -> None:
        """Acquire a slot. Raises Unavailable if none is free, or if `owner` has its share. `name` is the owner's name
        in the refusal."""
        with self._lock:
            full = self.in_use >= self.limit
            if self._take(owner):
                return
        if full:
            raise Unavailable(self.refusal, self.retry_after)
        raise Unavailable(
            f"{name} uses {self.share} of the {self.limit} places for {self.what}, the maximum for one owner. "
            f"Try again in {self.retry_after} seconds.",
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


class Calls(InThreads):
    """The budget of all requests without one of their own. The web server counts them while they are in threads, and
    refuses new ones beyond the budget at once: a request that waits for a thread only makes all others slower."""

    def __init__(self, limit: int, retry_after: int) -> None:
        super().__init__()
        self.limit = limit
        self.retry_after = retry_after

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
calls = Calls(128, retry_after=5)
# Requests of a supervisor, which restarts a process that does not answer. They are short and never refused, and no
# calls: anybody can send many of them.
probes = InThreads()


def may_arrive(slots: Slots) -> bool:
    """Whether one more request may be on its way to its view, where it gets one of these slots, without being a call.
    As many may as there are free slots: requests that only look like such ones can neither take the places of calls nor
    use up all threads."""
    return slots.arriving.in_use < slots.limit - slots.in_use
