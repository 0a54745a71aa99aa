"""How many threads each kind of long request may take, so that something is always left for everything else.

One process has `streams + 64` threads. A stream, a waiting poll and a raw upload each hold one while they last;
beyond its budget a request is answered at once instead of waiting for a thread (measured in docs/architecture.md).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.refusals import Unavailable


class Slots:
    """A bounded number of places. `limit` is set once, at start."""

    def __init__(self, what: str, limit: int, retry_after: int) -> None:
        self.what = what
        self.limit = limit
        self.retry_after = retry_after
        self.taken = 0
        self._lock = threading.Lock()

    def try_take(self) -> bool:
        """Take a place if there is one."""
        with self._lock:
            if self.taken >= self.limit:
                return False
            self.taken += 1
            return True

    def take(self) -> None:
        """Take a place, or raise Unavailable."""
        if not self.try_take():
            raise Unavailable(
                f"All {self.limit} places for {self.what} are taken. Try again in {self.retry_after} seconds.",
                self.retry_after,
            )

    def give_back(self) -> None:
        with self._lock:
            self.taken -= 1

    @contextmanager
    def held(self) -> Iterator[None]:
        """A place for the length of the block."""
        self.take()
        try:
            yield
        finally:
            self.give_back()


streams = Slots("live pages", 1000, retry_after=3)
waiting_polls = Slots("waiting polls", 32, retry_after=2)
raw_uploads = Slots("uploads through the app", 8, retry_after=30)
images = Slots("images on their way", 48, retry_after=1)
