"""Search, filter and order of lists of servers."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from app.fleet.overviews.fleet_overview import FLEET_ORDERS, SERVER_STATES
from app.fleet.overviews.partner_overview import PARTNER_ORDERS, PARTNER_STATES
from app.fleet.overviews.server_filters import ServerFilter, matching_servers, shown_servers
from app.web.operator import server_list as operators_list
from app.web.servers import server_list as partners_list
from app.web.servers.server_filters import StateFilters


@dataclass(frozen=True)
class Server:
    id: str
    region: str
    state: str
    disk: int | None


# In the list's default order.
SERVERS = [
    Server("srv-03", "fra", "failed", 40),
    Server("srv-01", "iad", "healthy", None),
    Server("srv-02", "fra", "healthy", 90),
    Server("srv-04", "São Paulo", "healthy", 40),
]
ORDERS = {"name": lambda server: server.id, "disk": lambda server: server.disk}


def ids(wanted: ServerFilter) -> str:
    return " ".join(server.id[-1] for server in matching_servers(SERVERS, wanted, ORDERS))


def test_the_default_order_stays() -> None:
    assert ids(ServerFilter()) == "3 1 2 4"


def test_unknown_values_come_last_in_both_directions() -> None:
    assert ids(ServerFilter(sort="disk")) == "3 4 2 1"
    assert ids(ServerFilter(sort="-disk")) == "2 3 4 1", "equal ones are in the order of their ids"
    assert ids(ServerFilter(sort="-name")) == "4 3 2 1"


def test_text_and_states_narrow_it() -> None:
    assert ids(ServerFilter("FRA")) == "3 2"
    assert ids(ServerFilter("sao")) == "4"
    assert ids(ServerFilter("fra", frozenset({"healthy"}))) == "2"
    assert ids(ServerFilter("sorcery")) == ""


def test_a_page_is_of_the_servers_that_match() -> None:
    many = [Server(f"srv-{number:03}", "fra", "healthy", 0) for number in range(60)]
    found = shown_servers(many, ServerFilter(page=2))
    assert [server.id for server in found] == [f"srv-{number:03}" for number in range(50, 60)]
    assert shown_servers(many, ServerFilter()) == many


@pytest.mark.parametrize(
    ("filters", "states"),
    [(operators_list.STATE_FILTERS, SERVER_STATES), (partners_list.STATE_FILTERS, PARTNER_STATES)],
)
def test_each_state_is_behind_one_filter(filters: StateFilters, states: tuple[str, ...]) -> None:
    listed = [state for _, these in filters.values() for state in these]
    assert sorted(listed) == sorted(states)


def test_pages_offer_the_orders_that_there_are() -> None:
    def both(orders: dict[str, object]) -> set[str]:
        return {sort for name in orders for sort in (name, f"-{name}")}

    assert set(operators_list.FLEET_SORTS) == both(dict(FLEET_ORDERS))
    assert set(partners_list.SERVER_SORTS) == both(dict(PARTNER_ORDERS))
