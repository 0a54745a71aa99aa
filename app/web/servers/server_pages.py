"""Pages of a list of servers: the query parameter `page`, the line that says which servers are shown, and the links to
the others."""

from __future__ import annotations

from dataclasses import dataclass

from app.fleet.active_servers import SERVERS_PER_PAGE, places_on_page
from app.web.frame.query_parameters import query_number


@dataclass(frozen=True)
class ServerPage:
    """The page that is shown. `note`: which servers, "" if one page has them all. `previous` and `following`: the
    addresses of the pages beside it, or ""."""

    note: str = ""
    previous: str = ""
    following: str = ""


def requested_page() -> int:
    """The page in the address of this request; 1 without one. Raises InvalidRequest."""
    return max(1, query_number("page") or 1)


def page_query(page: int) -> str:
    """The query of an address with this page: "" or `?page=2`."""
    return f"?page={page}" if page > 1 else ""


def server_page(page: int, total: int, order: str, address: str, anchor: str = "") -> ServerPage:
    """`order`: the order of the servers in words. `address`: of the list, without a query. `anchor`: "" or `#fleet`."""
    if total <= SERVERS_PER_PAGE:
        return ServerPage()
    shown = places_on_page(page, total)
    number = shown.start // SERVERS_PER_PAGE + 1
    return ServerPage(
        note=f"Servers {shown.start + 1:,} to {shown.stop:,} of {total:,}, {order}",
        previous=f"{address}{page_query(number - 1)}{anchor}" if number > 1 else "",
        following=f"{address}{page_query(number + 1)}{anchor}" if shown.stop < total else "",
    )
