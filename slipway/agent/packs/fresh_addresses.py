"""Presigned addresses are valid for minutes. When storage rejects one, the plan has a new one."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from slipway.agent.cache.download import FetchFailed, UrlRejected
from slipway.agent.packs.pack_offer import PackOffer, StoredObject

Result = TypeVar("Result")


class FreshAddresses:
    """The addresses of one pack's objects, for several threads. `refresh` fetches the plan again and returns its
    current offer for the build."""

    def __init__(self, offer: PackOffer, refresh: Callable[[], PackOffer | None]) -> None:
        self._offer = offer
        self._refresh = refresh
        self._may_refresh = True
        self._lock = Lock()

    def use(
        self, pick: Callable[[PackOffer], StoredObject | None], request: Callable[[StoredObject], Result]
    ) -> Result:
        """The result of `request` for the object that `pick` chooses. Asks for new addresses once if storage rejects
        one; if it rejects a new one too, this raises UrlRejected."""
        offer = self._offer
        try:
            result = request(_picked(pick, offer))
        except UrlRejected as rejected:
            offer = self._newer_than(offer, rejected)
            result = request(_picked(pick, offer))
        with self._lock:
            if offer is self._offer:
                self._may_refresh = True  # these addresses were valid: they can only have expired
        return result

    def _newer_than(self, rejected_offer: PackOffer, rejected: UrlRejected) -> PackOffer:
        with self._lock:
            if self._offer is not rejected_offer:
                return self._offer  # another thread has asked already
            if not self._may_refresh:
                raise rejected
            self._may_refresh = False
            offer = self._refresh()
            if offer is None or offer.index.reference != rejected_offer.index.reference:
                raise FetchFailed("the plan has another pack of this build now")
            self._offer = offer
            return offer


def _picked(pick: Callable[[PackOffer], StoredObject | None], offer: PackOffer) -> StoredObject:
    stored = pick(offer)
    if stored is None:
        raise FetchFailed("the plan has another way to update to this build now")
    return stored
