"""Pages of a list of servers."""

from __future__ import annotations

from app.fleet.active_servers import SERVERS_PER_PAGE
from app.web.frame.query_parameters import query_number
from app.web.lists.list_address import ListAddress
from app.web.lists.numbered_pages import NumberedPage, numbered_page


def requested_page() -> int:
    """The page in the address of this request; 1 without one. Raises InvalidRequest."""
    return max(1, query_number("page") or 1)


def server_page(total: int, order: str, address: ListAddress, anchor: str = "") -> NumberedPage:
    """The page of servers of an address. `order`: in words. `anchor`: of the list on its page, or ""."""
    return numbered_page("servers", total, SERVERS_PER_PAGE, order, address, anchor)
