"""The line and the links under a list whose pages have numbers."""

from __future__ import annotations

from dataclasses import dataclass

from app.data.list_orders import places_on_page
from app.web.lists.list_address import ListAddress


@dataclass(frozen=True)
class NumberedPage:
    """The page that is shown. `what`: the plural of what the list holds. `note`: which of them, "" if one page has them
    all. `previous` and `following`: the addresses of the pages beside it, or ""."""

    what: str = ""
    note: str = ""
    previous: str = ""
    following: str = ""


def numbered_page(
    what: str, total: int, per_page: int, order: str, address: ListAddress, anchor: str = ""
) -> NumberedPage:
    """The page of an address. `order`: in words. `anchor`: of the list on its page, or ""."""
    if total <= per_page:
        return NumberedPage()
    shown = places_on_page(address.page, total, per_page)
    number = shown.start // per_page + 1
    return NumberedPage(
        what=what,
        note=f"{what.capitalize()} {shown.start + 1:,} to {shown.stop:,} of {total:,}, {order}",
        previous=address.numbered_page(number - 1).url(anchor) if number > 1 else "",
        following=address.numbered_page(number + 1).url(anchor) if shown.stop < total else "",
    )
