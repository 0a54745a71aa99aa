"""Complete requests that wait, because their requester uses its share of the threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from app.limits.counted_requests import Requester
from app.runtime.web_server.connections import Connection

_Waiting = OrderedDict[Connection, None]


class TurnQueue:
    """Groups take turns, then the requesters of a group. The requests of one requester keep their order. For one thread
    only."""

    def __init__(self) -> None:
        self._groups: OrderedDict[str, OrderedDict[str, _Waiting]] = OrderedDict()

    def add(self, requester: Requester, connection: Connection) -> None:
        """A request comes last."""
        group = self._groups.setdefault(requester.group, OrderedDict())
        group.setdefault(requester.name, OrderedDict())[connection] = None

    def remove(self, requester: Requester, connection: Connection) -> None:
        """A request waits no longer."""
        group = self._groups[requester.group]
        waiting = group[requester.name]
        del waiting[connection]
        if not waiting:
            del group[requester.name]
        if not group:
            del self._groups[requester.group]

    def has(self, requester: Requester) -> bool:
        """Whether a request of this requester waits."""
        return requester.name in self._groups.get(requester.group, ())

    def has_group(self, group: str) -> bool:
        """Whether a request of this group waits."""
        return group in self._groups

    def next(
        self, group_may: Callable[[str], bool], may_begin: Callable[[Requester, Connection], bool]
    ) -> Connection | None:
        """The request whose turn it is, among those that may begin. It stays until it is removed; the next turn is that
        of another group."""
        for group, requesters in self._groups.items():
            if not group_may(group):
                continue
            for name, waiting in requesters.items():
                requester, connection = Requester(group, name), next(iter(waiting))
                if not may_begin(requester, connection):
                    continue
                requesters.move_to_end(name)
                self._groups.move_to_end(group)
                return connection
        return None
