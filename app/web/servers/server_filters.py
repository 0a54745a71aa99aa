"""What the two lists of servers share: search, filters by state, and orders in their addresses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from app.fleet.overviews.server_filters import ServerFilter
from app.web.lists.filter_links import FilterLink
from app.web.lists.list_address import ActiveFilter, ListAddress, Orders, quoted, requested_list

# Key in the address -> (label, states). The key "" is for all.
StateFilters = Mapping[str, tuple[str, frozenset[str]]]


def requested_servers(path: str, orders: Orders, states: StateFilters) -> ListAddress:
    """The list in the address of this request. Raises InvalidRequest for an impossible page."""
    return requested_list(path, "page", orders=orders, status=states)


def requested_filter(address: ListAddress, states: StateFilters) -> ServerFilter:
    """The filter of an address."""
    value = address.value
    return ServerFilter(value("q"), states[value("status")][1], value("sort"), address.page)


def server_filters(address: ListAddress, states: StateFilters) -> list[ActiveFilter]:
    """The filters in use."""
    status = address.value("status")
    return address.active_filters(q=quoted(address.value("q")), status=states[status][0] if status else "")


def state_links(address: ListAddress, states: StateFilters, counts: Counter[str]) -> list[FilterLink]:
    """A link per filter with servers in its states, and their number, of all servers."""
    numbers = {
        key: sum(counts[state] for state in these) if these else counts.total() for key, (_, these) in states.items()
    }
    offered = {key: label for key, (label, _) in states.items() if numbers[key] or key in {"", address.value("status")}}
    return address.links("status", offered, numbers)
