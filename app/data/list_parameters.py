"""Statements with a parameter that is a list of texts. Their SQL is the same for a list of any length, so they are
compiled once, and Postgres plans them once per connection. SQLAlchemy's `in_()` has a place for each item."""

from __future__ import annotations

from sqlalchemy import JSON, ColumnElement, String, any_, bindparam, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute

_ARRAY = postgresql.ARRAY(String)


def items_of(parameter: str, dialect: str) -> ColumnElement[str]:
    """The items of the list with this name, as the column of a table that a SELECT reads from."""
    if dialect == "postgresql":
        rows = func.unnest(bindparam(parameter, type_=_ARRAY)).table_valued("value").render_derived()
    else:
        rows = func.json_each(bindparam(parameter, type_=JSON)).table_valued("value")
    item: ColumnElement[str] = rows.c.value
    return item


def is_among(column: InstrumentedAttribute[str], parameter: str, dialect: str) -> ColumnElement[bool]:
    """Whether the column's value is in the list with this name."""
    if dialect == "postgresql":
        return column == any_(bindparam(parameter, type_=_ARRAY))
    return column.in_(select(items_of(parameter, dialect)))
