"""Slots: a bounded number of places for requests of one kind, of which each owner has a share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.limits.counted_requests import InThreads, current_request
from app.refusals import Unavailable


@dataclass(frozen=True)
class Owner:
    """Who a slot is for: a partner, a member, a server or an address. `name` is the owner's name in a refusal, and
    `kind` the word for owners of its kind. `most`: the maximum of one owner (None: half of the slots, rounded up)."""

    id: str
    name: str = ""
    kind: str = "partner"
    most: int | None = None

    @classmethod
    def partner(cls, partner_id: str, name: str) -> Owner:
        """A partner, with half of the slots."""
        return cls(f"partner {partner_id}", name)


class Slots:
    """A bounded number of slots. A request names its owners, and none of them gets more than its share. `limit` is set
    once, at start. `arriving`: requests on their way to the view that acquires a slot."""

    def __init__(self, what: str, limit: int, retry_after: int) -> None:
        self.what = what
        self.limit = limit
        self.retry_after = retry_after
        self.in_use = 0
        self.arriving = InThreads()
        self._owned: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def half(self) -> int:
        """The share of an owner without a maximum of its own."""
        return (self.limit + 1) // 2

    @property
    def refusal(self) -> str:
        """What a request is told when all slots are in use, or about to be."""
        return f"All {self.limit} places for {self.what} are in use. Try again in {self.retry_after} seconds."

    def try_acquire(self, *owners: Owner) -> bool:
        """Acquire a slot, if one is free and each owner has less than its share."""
        with self._lock:
            return self._take(owners)

    def acquire(self, *owners: Owner) -> None:
        """Acquire a slot. Raises Unavailable if none is free, or if an owner has its share."""
        with self._lock:
            full, over = self.in_use >= self.limit, self._over_share(owners)
            if self._take(owners):
                return
        if full or over is None:
            raise Unavailable(self.refusal, self.retry_after)
        raise Unavailable(
            f"{over.name} uses {self._share(over)} of the {self.limit} places for {self.what}, the maximum for one "
            f"{over.kind}. Try again in {self.retry_after} seconds.",
            self.retry_after,
        )

    def free(self, *owners: Owner) -> None:
        """Free a slot that was acquired for these owners."""
        with self._lock:
            self.in_use -= 1
            for owner in owners:
                self._owned[owner.id] -= 1
                if not self._owned[owner.id]:
                    del self._owned[owner.id]

    @contextmanager
    def acquired(self, *owners: Owner) -> Iterator[None]:
        """A slot for the length of the block."""
        self.acquire(*owners)
        try:
            yield
        finally:
            self.free(*owners)

    def _share(self, owner: Owner) -> int:
        return self.half if owner.most is None else owner.most

    def _over_share(self, owners: tuple[Owner, ...]) -> Owner | None:
        """The first owner that has its share already."""
        return next((owner for owner in owners if self._owned[owner.id] >= self._share(owner)), None)

    def _take(self, owners: tuple[Owner, ...]) -> bool:
        if self.in_use >= self.limit or self._over_share(owners):
            return False
        self.in_use += 1
        for owner in owners:
            self._owned[owner.id] += 1
        if request := current_request():
            request.acquired_slot()
        return True
