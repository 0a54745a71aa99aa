"""Bodies of responses that use one slot of a thread budget until they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from app.limits.slots import Owner, Slots


class Readable(Protocol):
    """An open object. It is read to the end, or closed."""

    def pieces(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...


class SlotBody:
    """The response body: an object's bytes in pieces. It uses one slot of `slots` until the end. Raises Unavailable if
    none is free for the owner, and the errors of `open_object`."""

    def __init__(self, slots: Slots, owner: Owner, open_object: Callable[[], Readable]) -> None:
        self._slots, self._owner = slots, owner
        slots.acquire(owner)
        self._closed = False
        try:
            self._object = open_object()
        except BaseException:
            slots.free(owner)
            raise

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._object.pieces()
        finally:
            self.close()

    def close(self) -> None:
        """The web server calls this when the response is sent or the client is gone."""
        if not self._closed:
            self._closed = True
            self._object.close()
            self._slots.free(self._owner)
