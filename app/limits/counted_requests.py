"""Requests in threads, counted by kind and by requester."""

from __future__ import annotations

import enum
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Key = TypeVar("Key")


@dataclass(frozen=True)
class Requester:
    """Whose request it is. `group`: a partner, an operator, a server or an address. `name`: a member or a key of that
    group; empty for requests of which only the group is known."""

    group: str
    name: str = ""


class Credential(enum.Enum):
    """What the app recognises a requester by."""

    KEY = "the key or token in the header Authorization"
    SESSION = "the session in its cookie"


class InThreads:
    """How many requests in threads count as one kind."""

    def __init__(self) -> None:
        self.in_use = 0
        self._lock = threading.Lock()

    def add(self, number: int) -> None:
        """Count so many more, or fewer."""
        with self._lock:
            self.in_use += number


class RequesterShares:
    """How many requests of each requester and of each group are in threads. Thread-safe.

    One requester has at most `most_of_one` threads, and one group at most `most_of_group`. `waiting`: how many requests
    wait for a turn. While there are some, `when_free` is called, in any thread, each time that a thread becomes free.
    """

    def __init__(self, most_of_one: int, most_of_group: int) -> None:
        self.most_of_one = most_of_one
        self.most_of_group = most_of_group
        self.waiting = 0
        self.when_free: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._of_one: Counter[Requester] = Counter()
        self._of_group: Counter[str] = Counter()

    def share_of(self, requester: Requester) -> int:
        """How many threads the requester may have. Requests without a name are those of many people."""
        return self.most_of_one if requester.name else self.most_of_group

    def has_room(self, requester: Requester) -> bool:
        """Whether one more request of this requester may have a thread."""
        return self.group_has_room(requester.group) and self._of_one[requester] < self.share_of(requester)

    def group_has_room(self, group: str) -> bool:
        """Whether one more request of this group may have a thread."""
        return self._of_group[group] < self.most_of_group

    def is_idle(self, group: str) -> bool:
        """Whether no request of this group has a thread."""
        return not self._of_group[group]

    def add(self, requester: Requester, number: int) -> None:
        """Count so many more, or fewer."""
        with self._lock:
            _count(self._of_one, requester, number)
            _count(self._of_group, requester.group, number)
        if number < 0 and self.waiting:
            self.when_free()


def _count(counts: Counter[Key], key: Key, number: int) -> None:
    counts[key] += number
    if not counts[key]:
        del counts[key]


class CountedRequest:
    """One request, which counts as a call, or as one on its way to a slot, while it is in a thread. With its first slot
    it counts there, and not here any more, also when it comes back to a thread.

    `recognised`: its requester, by what the app recognised them; None for a credential that is nobody's.
    """

    def __init__(
        self, kind: InThreads, requester: Requester | None = None, shares: RequesterShares | None = None
    ) -> None:
        self.recognised: dict[Credential, Requester | None] = {}
        self._kind = kind
        self._requester = requester
        self._shares = shares
        self._counted = 0
        self._has_slot = False

    def enter_thread(self) -> None:
        """It waits for a thread, and will soon have one."""
        if not self._has_slot:
            self._count(1)

    def leave_thread(self) -> None:
        """Its thread is free."""
        if self._counted:
            self._count(-1)

    def acquired_slot(self) -> None:
        """It has a slot now. Called in its thread."""
        self._has_slot = True
        self.leave_thread()

    def _count(self, number: int) -> None:
        self._counted += number
        self._kind.add(number)
        if self._requester is not None and self._shares is not None:
            self._shares.add(self._requester, number)


_current = threading.local()


@contextmanager
def answering(request: CountedRequest | None) -> Iterator[None]:
    """Within the block, this thread answers the request: a slot that is acquired is the request's."""
    _current.request = request
    try:
        yield
    finally:
        _current.request = None


def current_request() -> CountedRequest | None:
    """The request that this thread answers, if the web server counts it."""
    found: CountedRequest | None = getattr(_current, "request", None)
    return found


def recognised(credential: Credential, requester: Requester) -> None:
    """The app has recognised the requester of the current request: the web server counts their next ones as theirs."""
    if request := current_request():
        request.recognised[credential] = requester


def not_recognised(credential: Credential) -> None:
    """The credential of the current request is nobody's, or no longer: the web server forgets whose it was."""
    if request := current_request():
        request.recognised[credential] = None
