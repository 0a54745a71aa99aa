"""The rows of all tables, as JSON lines. The same on SQLite and Postgres: a backup of one can be restored into the
other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Column, Connection, Select, Table, bindparam, func, select, text
from sqlalchemy.types import TypeEngine

from app.data.database import WRITES
from app.data.extensions import db
from app.data.models.audit_record import Topic
from app.data.models.base import UtcDateTime
from app.maintenance.backup.backup_folder import read_lines, write_lines
from app.refusals import Conflict

_BATCH = 500


@contextmanager
def one_moment() -> Iterator[Connection]:
    """A connection that sees the database as it is now, whatever is written meanwhile."""
    connection = db.engine.connect()
    if connection.dialect.name == "postgresql":
        connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with connection, connection.begin():  # SQLite keeps its state from the first read on
        yield connection


def save_rows(connection: Connection, folder: Path) -> dict[str, int]:
    """Write a file for each table. Returns the number of rows by table."""
    counts = {}
    for table in db.metadata.sorted_tables:
        rows = connection.execution_options(yield_per=_BATCH).execute(_all_of(table))
        lines = (_line(table, row) for row in rows)
        counts[table.name] = write_lines(folder / f"{table.name}.jsonl.gz", lines)
    return counts


def load_rows(folder: Path, counts: Mapping[str, int]) -> None:
    """Insert all rows in one transaction. Raises Conflict if the database has rows, or the backup lacks some."""
    with db.engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        _require_empty(connection)
        seen: set[Table] = set()
        for table in db.metadata.sorted_tables:
            later = _columns_of_later_rows(table, seen)
            path = folder / f"{table.name}.jsonl.gz"
            inserted = _insert(connection, table, path, later)
            if inserted != counts.get(table.name, 0):
                raise Conflict(
                    f"The backup is damaged: {path} has {inserted} rows, and the manifest {counts.get(table.name, 0)}."
                )
            seen.add(table)
        for table in db.metadata.sorted_tables:
            _fill_in(connection, table, folder / f"{table.name}.jsonl.gz")
            _continue_numbers(connection, table)


def require_empty() -> None:
    """Raises Conflict if the database has rows."""
    with one_moment() as connection:
        _require_empty(connection)


def _require_empty(connection: Connection) -> None:
    for table in db.metadata.sorted_tables:
        # A portal that was started on an empty database may have announced something.
        if table.name != Topic.__tablename__ and connection.scalar(select(1).select_from(table).limit(1)):
            raise Conflict(
                f"The database has rows already (in {table.name}). Restore into an empty one: create it, and run "
                "`flask db upgrade`."
            )


def _insert(connection: Connection, table: Table, path: Path, later: list[Column[Any]]) -> int:
    if table.name == Topic.__tablename__:
        connection.execute(table.delete())
    statement = table.insert().values(
        {column.name: bindparam(f"of_{column.name}", type_=_type(column)) for column in table.columns}
    )
    count, lines = 0, read_lines(path)
    while batch := list(islice(lines, _BATCH)):
        rows = [_row(table, line) | {column.name: None for column in later} for line in batch]
        connection.execute(statement, [{f"of_{name}": value for name, value in row.items()} for row in rows])
        count += len(rows)
    return count


def _type(column: Column[Any]) -> TypeEngine[Any]:
    """Of bound values: None is NULL, and JSON.NULL is JSON's null."""
    return JSON(none_as_null=True) if isinstance(column.type, JSON) else column.type


def _columns_of_later_rows(table: Table, seen: set[Table]) -> list[Column[Any]]:
    """Columns to leave empty at first, because they name rows that are not inserted yet: of a later table, or of the
    same one. A key of several columns refers to nothing while one of them is empty."""
    later = [key for key in table.foreign_key_constraints if key.referred_table not in seen]
    return list(dict.fromkeys(column for key in later for column in key.columns if column.nullable))


def _fill_in(connection: Connection, table: Table, path: Path) -> None:
    """Set the columns that `_insert` left empty."""
    before = set(db.metadata.sorted_tables[: db.metadata.sorted_tables.index(table)])
    later = _columns_of_later_rows(table, before)
    if not later:
        return
    key = table.primary_key.columns
    statement = table.update().where(*(column == bindparam(f"key_{column.name}") for column in key))
    for line in read_lines(path):
        row = _row(table, line)
        values = {column.name: row[column.name] for column in later if row[column.name] is not None}
        if values:
            connection.execute(statement.values(values), {f"key_{column.name}": row[column.name] for column in key})


def _continue_numbers(connection: Connection, table: Table) -> None:
    """The next row that counts itself gets a new number. SQLite sees to that by itself."""
    column = table.autoincrement_column
    if connection.dialect.name != "postgresql" or column is None:
        return
    highest = connection.scalar(select(func.max(column)))
    sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
    if highest is not None and sequence is not None:
        connection.execute(text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest})


def _all_of(table: Table) -> Select[Any]:
    """All columns, and for each that holds JSON, whether it is NULL: JSON's null is another value."""
    return select(table, *(column.is_(None) for column in _json_columns(table)))


def _json_columns(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if isinstance(column.type, JSON)]


def _line(table: Table, row: Sequence[Any]) -> dict[str, Any]:
    """A column that is NULL is left out."""
    values = row[: len(table.columns)]
    absent = {column.name for column, is_null in zip(_json_columns(table), row[len(values) :], strict=True) if is_null}
    return {
        column.name: value.isoformat() if isinstance(value, datetime) else value
        for column, value in zip(table.columns, values, strict=True)
        if column.name not in absent and (value is not None or isinstance(column.type, JSON))
    }


def _row(table: Table, line: Mapping[str, Any]) -> dict[str, Any]:
    return {column.name: _value(column, line[column.name]) if column.name in line else None for column in table.columns}


def _value(column: Column[Any], value: Any) -> Any:
    if value is None:
        return JSON.NULL
    return datetime.fromisoformat(value) if isinstance(column.type, UtcDateTime) else value
