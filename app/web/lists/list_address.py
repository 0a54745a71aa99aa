"""The address of a list: its path, and the query that chooses what the list shows (search, filters, order and page).
All lists use it, so that a reload, the Back button and a shared link show the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import request

from app.web.frame.formats import lower_first
from app.web.frame.query_parameters import query_number
from app.web.lists.filter_links import FilterLink

MAX_VALUE_LENGTH = 256
MAX_CURSOR_LENGTH = 2900  # a text of 256 characters of 4 bytes and an id, coded twice
_PAGES = ("page", "after")  # the parameters that choose a page

# The orders of a list: name in the address -> words. `size` is ascending and `-size` descending. The first one is the
# default, which an address leaves out; of a column's two orders the first one is what its head offers.
Orders = Mapping[str, str]


@dataclass(frozen=True)
class SortHead:
    """The head of a column that sorts. `direction` is "" unless the list is sorted by it; `words`: the order that the
    link leads to."""

    key: str
    url: str
    direction: str
    words: str


@dataclass(frozen=True)
class ActiveFilter:
    """A filter that is in use. `url`: the list without it."""

    words: str
    url: str


@dataclass(frozen=True)
class ListAddress:
    """`values`: the query without empty values, by name. Equal addresses show the same list."""

    path: str
    values: tuple[tuple[str, str], ...] = ()

    def value(self, name: str) -> str:
        """One value of the query, or ""."""
        return dict(self.values).get(name, "")

    @property
    def page(self) -> int:
        """The number of the page, from 1."""
        return int(self.value("page") or 1)

    @property
    def kept(self) -> dict[str, Any]:
        """The query for the addresses of actions, which return to the same list."""
        return dict(self.values)

    @property
    def query(self) -> str:
        """The query with its question mark, or ""."""
        return f"?{urlencode(self.values)}" if self.values else ""

    def with_values(self, **changed: str | int | None) -> ListAddress:
        """The address with other values. "", 0 and None remove a value."""
        values = self.kept | {name: str(value or "") for name, value in changed.items()}
        return replace(self, values=tuple(sorted((name, value) for name, value in values.items() if value)))

    def first_page(self, **changed: str | int | None) -> ListAddress:
        """The same from the first page: what a page holds changes with the filters and with the order."""
        return self.with_values(**dict.fromkeys(_PAGES), **changed)

    def url(self, anchor: str = "") -> str:
        return f"{self.path}{self.query}{'#' if anchor else ''}{anchor}"

    def numbered_page(self, number: int) -> ListAddress:
        """Page `number`, from 1."""
        return self.with_values(page=number if number > 1 else None)

    def page_links(self, next_cursor: str | None) -> tuple[str, str]:
        """The addresses of the first page and of the next, of a list with cursors; "" where there is none."""
        first = self.first_page().url() if self.value("after") else ""
        return first, self.with_values(after=next_cursor).url() if next_cursor else ""

    def links(self, name: str, labels: Mapping[str, str], counts: Mapping[str, int] | None = None) -> list[FilterLink]:
        """One link per value of a filter. `counts` None: they are not counted."""
        return [
            FilterLink(
                label,
                counts.get(key, 0) if counts is not None else None,
                self.first_page(**{name: key}).url(),
                key == self.value(name),
            )
            for key, label in labels.items()
        ]

    def heads(self, orders: Orders) -> dict[str, SortHead]:
        """The heads of the columns that sort, by key."""
        default = next(iter(orders))
        now = self.value("sort") or default
        found: dict[str, SortHead] = {}
        for order in orders:
            key = order.removeprefix("-")
            if key in found:
                continue
            is_sorted = now.removeprefix("-") == key
            wanted = _opposite(now) if is_sorted else order
            direction = ("descending" if now.startswith("-") else "ascending") if is_sorted else ""
            url = self.first_page(sort="" if wanted == default else wanted).url()
            found[key] = SortHead(key, url, direction, orders[wanted])
        return found

    def active_filters(self, **labels: str) -> list[ActiveFilter]:
        """The filters in use, by name in the address, with their words."""
        return [ActiveFilter(words, self.first_page(**{name: ""}).url()) for name, words in labels.items() if words]


def _opposite(order: str) -> str:
    return order.removeprefix("-") if order.startswith("-") else f"-{order}"


def requested_list(path: str, *names: str, orders: Orders, **choices: Mapping[str, object]) -> ListAddress:
    """The list in the address of this request. `names`: its parameters, beside `q` and `sort`. `choices`: the values
    that a filter can have; others count as none. Raises InvalidRequest for an impossible page."""
    found = {"q": _requested("q")}
    found |= {name: value if (value := _requested(name)) in known else "" for name, known in choices.items()}
    found |= {name: _requested(name) for name in names if name not in _PAGES}
    sort, default = _requested("sort"), next(iter(orders), "")
    found["sort"] = sort if sort in orders and sort != default else ""
    if "after" in names:
        found["after"] = _requested("after", MAX_CURSOR_LENGTH)
    address = ListAddress(path).with_values(**found)
    return address.numbered_page(query_number("page") or 1) if "page" in names else address


def _requested(name: str, longest: int = MAX_VALUE_LENGTH) -> str:
    return request.args.get(name, "").strip()[:longest]


def order_words(sort: str, orders: Orders) -> str:
    """An order inside a sentence: `worst first`. `sort`: "" for the default."""
    return lower_first(orders[sort or next(iter(orders))])


def quoted(text: str) -> str:
    """A search in words: “lantern”, or "" without one."""
    return f"“{text}”" if text else ""
