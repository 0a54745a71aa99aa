"""Filters and orders of the lists of servers. The states of servers are derived when they are read, so that Python
compares and not the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from app.data.text_search import contains
from app.fleet.active_servers import places_on_page


class Listed(Protocol):
    """A server in a list."""

    @property
    def id(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def state(self) -> str: ...


S = TypeVar("S", bound=Listed)


@dataclass(frozen=True)
class ServerFilter:
    """`text`: in the id or the region. `states`: any of them; empty for all. `sort`: a name of the list's order, or ""
    for its default. `page`: from 1, None for all servers."""

    text: str = ""
    states: frozenset[str] = frozenset()
    sort: str = ""
    page: int | None = None


ALL_SERVERS = ServerFilter()


def matching_servers(servers: Sequence[S], wanted: ServerFilter, orders: Mapping[str, Callable[[S], Any]]) -> list[S]:
    """The servers of all pages, in order. `orders`: the name of an order -> what it compares, ascending; None comes
    last. A minus sign before the name reverses an order. The default is that of `servers`."""
    found = [
        server
        for server in servers
        if (not wanted.states or server.state in wanted.states)
        and (not wanted.text or contains(wanted.text, (server.id, server.region)))
    ]
    if not wanted.sort:
        return found
    value = orders[wanted.sort.removeprefix("-")]
    found.sort(key=lambda server: server.id)
    known = [server for server in found if value(server) is not None]
    known.sort(key=value, reverse=wanted.sort.startswith("-"))
    return known + [server for server in found if value(server) is None]


def shown_servers(matching: Sequence[S], wanted: ServerFilter) -> Sequence[S]:
    """Those of the page."""
    return matching[places_on_page(wanted.page, len(matching))]
