"""The minimum speed of request bodies and of answers (SLIPWAY_BODY_TIMEOUT, SLIPWAY_MIN_BYTES_PER_SECOND)."""

from __future__ import annotations


class TooSlow(TimeoutError):
    """Fewer bytes moved than the pace demands. The text gives both numbers."""


class Pace:
    """The minimum speed of a transfer.

    Within every `seconds` spent waiting, `rate` bytes per second must move, or all that are left. For a body smaller
    than `seconds * rate` bytes, `seconds` is therefore the whole time it may take.
    """

    def __init__(self, seconds: float, rate: int) -> None:
        self.seconds = seconds
        self.rate = rate
        self.failure: TooSlow | None = None
        self._silent = 0.0
        self._waited = 0.0
        self._moved = 0

    @property
    def left(self) -> float:
        """Seconds until the next decision."""
        return max(0.0, min(self.seconds - self._silent, self.seconds - self._waited))

    def count(self, moved: int, waited: float) -> None:
        """Count `moved` bytes after waiting for `waited` seconds. Raises TooSlow, and again on each later call."""
        self._waited += waited
        self._moved += moved
        self._silent = 0.0 if moved else self._silent + waited
        over = self._waited >= self.seconds
        if self._silent >= self.seconds or (over and self._moved < self.rate * self.seconds):
            self.failure = self.failure or TooSlow(self._reason())
        if self.failure:
            raise self.failure
        if over:
            self._waited, self._moved = 0.0, 0

    def _reason(self) -> str:
        if self._silent > self.seconds / 2:
            return f"nothing came for {self._silent:.0f} seconds"
        return f"only {self._moved:,} bytes came in {self._waited:.0f} seconds"
