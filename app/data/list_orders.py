"""Orders of lists, and pages in them. A page begins after a cursor, which names a position in the order and not a row:
rows that come or go move nothing to another page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, Tuple, literal, tuple_

from app.data.cursors import (
    number_position,
    size_cursor,
    size_position,
    text_cursor,
    text_position,
    time_cursor,
    time_position,
)
from app.data.extensions import db


@dataclass(frozen=True)
class ListOrder:
    """By `value`, then by `row_id`, which is None if no two rows have the same value. `cursor` writes a (value, id) as
    a position; `position` reads it."""

    value: ColumnElement[Any]
    row_id: ColumnElement[Any] | None
    cursor: Callable[[Any, Any], str]
    position: Callable[[str], Tuple]
    is_descending: bool = False

    def of(self, query: Select[Any], after: str | None) -> Select[Any]:
        """The rows of a query in this order, from a cursor on, with `value` as one more column at the end. Raises
        InvalidRequest for a cursor of another list."""
        columns = [self.value] if self.row_id is None else [self.value, self.row_id]
        if after:
            here, there = tuple_(*columns), self.position(after)
            query = query.where(here < there if self.is_descending else here > there)
        order = [column.desc() if self.is_descending else column for column in columns]
        return query.add_columns(self.value.label("order_value")).order_by(*order)


# By the name in an address: `size`, or `-size` for the opposite. The first one is the default.
ListOrders = Mapping[str, ListOrder]


def number_order(value: ColumnElement[int]) -> ListOrder:
    """By a number that no two rows share. Its cursor is the number."""
    return ListOrder(
        value, None, lambda number, _: str(number), lambda cursor: tuple_(literal(number_position(cursor)))
    )


def time_order(value: ColumnElement[Any], row_id: ColumnElement[Any]) -> ListOrder:
    return ListOrder(value, row_id, time_cursor, time_position)


def text_order(value: ColumnElement[Any], row_id: ColumnElement[Any]) -> ListOrder:
    """The database compares. Give it the lowercase form: only ASCII letters are then sure to be alike in both cases."""
    return ListOrder(value, row_id, text_cursor, text_position)


def size_order(value: ColumnElement[Any], row_id: ColumnElement[Any]) -> ListOrder:
    return ListOrder(value, row_id, size_cursor, size_position)


def descending(order: ListOrder) -> ListOrder:
    return replace(order, is_descending=True)


def chosen_order(orders: ListOrders, name: str | None) -> ListOrder:
    """The order of this name; the default for "" and None. Its caller has checked that there is one."""
    return orders[name] if name else next(iter(orders.values()))


def require_cursor(order: ListOrder, after: str) -> None:
    """Raise InvalidRequest unless `after` is empty or a cursor of this order."""
    if after:
        order.position(after)


def places_on_page(page: int, total: int, per_page: int) -> slice:
    """The places of the rows of a numbered page, for a list that is read as a whole. Pages are numbered from 1, and a
    page beyond the last one is the last."""
    last = max(1, -(-total // per_page))
    first = (min(max(page, 1), last) - 1) * per_page
    return slice(first, min(total, first + per_page))


def read_page(
    query: Select[Any], order: ListOrder, limit: int | None, after: str | None
) -> tuple[Sequence[Any], str | None]:
    """Rows whose first column is an object with an id, and where the next page begins, or None at the end. One query.
    `limit` None: all rows. Raises InvalidRequest for a cursor of another list."""
    ordered = order.of(query, after)
    rows = db.session.execute(ordered if limit is None else ordered.limit(limit + 1)).all()
    if limit is None or len(rows) <= limit:
        return rows, None
    return rows[:limit], order.cursor(rows[limit - 1].order_value, rows[limit - 1][0].id)
