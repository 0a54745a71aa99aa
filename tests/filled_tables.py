"""One row in every table, generated from the metadata, so that new tables are included automatically.

Every text begins with a marker, which shows whose row it is wherever the text appears.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, DateTime, Float, Integer, MetaData, String, Table

Rows = dict[str, dict[str, Any]]

MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
FAR = datetime(2099, 1, 1, tzinfo=UTC)

# Values that cannot be derived from a column's type, for example because of a check constraint.
VALUES: dict[str, Any] = {
    "members.role": "owner",
    "invitations.role": "viewer",
    "replicas.phase": "cached",
    "replica_attempts.outcome": "failed",
    "audit_entries.details": {"slug": "x"},
    "answered_requests.status": 201,
}


def fill_tables(
    connection: Connection,
    metadata: MetaData,
    marker: str,
    values: Mapping[str, Any] | None = None,
    *,
    everything: bool = False,
) -> Rows:
    """Insert one row into every table, with references to each other. `values` ("table.column") override generated
    values; `everything` fills nullable columns too. Returns the rows by table."""
    known = VALUES | dict(values or {})
    rows: Rows = {}
    for table in metadata.sorted_tables:
        row = {
            column.name: _value(column, marker, rows, known, everything)
            for column in table.columns
            if not _counts_itself(column)
        }
        result = connection.execute(table.insert().values(row))
        for column, value in zip(table.primary_key.columns, result.inserted_primary_key or (), strict=True):
            row[column.name] = value
        rows[table.name] = row
    _close_circles(connection, metadata, rows)
    return rows


def _counts_itself(column: Column[Any]) -> bool:
    return column is column.table.autoincrement_column if isinstance(column.table, Table) else False


def _value(column: Column[Any], marker: str, rows: Rows, known: Mapping[str, Any], everything: bool) -> Any:
    name = f"{column.table.name}.{column.name}"
    if name in known:
        return known[name]
    parents = [rows.get(key.column.table.name, {}).get(key.column.name) for key in column.foreign_keys]
    if parents:
        # None means a reference cycle, which is closed afterwards. A column with two foreign keys gets the value that
        # exists.
        return next((value for value in parents if value is not None), None)
    if column.nullable and not everything:
        return None
    if column.default is not None and column.default.is_scalar:
        return column.default.arg  # type: ignore[attr-defined]  # a scalar default has one
    return _made_up(column, marker)


def _made_up(column: Column[Any], marker: str) -> Any:
    kind = column.type
    if isinstance(kind, JSON):
        return [f"{marker}-{column.table.name}-{column.name}"]
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, Integer):
        return 7
    if isinstance(kind, Float):
        return 1.5
    if isinstance(kind, String):
        text = f"{marker}-{column.table.name}-{column.name}".replace("_", "-")
        return text[: kind.length] if kind.length else text
    if isinstance(getattr(kind, "impl", kind), DateTime):
        return FAR if column.name in {"expires_at", "ends_at"} else MOMENT
    raise NotImplementedError(f"{column}: add a value for {kind!r} to tests/filled_tables.py")


def _close_circles(connection: Connection, metadata: MetaData, rows: Rows) -> None:
    """Set references to rows that did not exist yet."""
    for table in metadata.sorted_tables:
        missing = {
            column.name: rows[key.column.table.name][key.column.name]
            for column in table.columns
            for key in column.foreign_keys
            if rows[table.name][column.name] is None
        }
        if missing:
            own = [column == rows[table.name][column.name] for column in table.primary_key.columns]
            connection.execute(table.update().where(*own).values(missing))
            rows[table.name].update(missing)
