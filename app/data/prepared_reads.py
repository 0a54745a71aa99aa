"""Prepared reads: SELECT statements that are compiled once per kind of database and run on the driver's connection.

SQLAlchemy takes 90 µs for the shortest query on a connection of its own and 400 µs on a session, of which the database
needs 10. Calls that scripts repeat many times a second read with these (docs/decisions/0071).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Select

from app.data.extensions import db

T = TypeVar("T")


class PreparedRead(Generic[T]):
    """A SELECT with named parameters. Each row becomes `make(*columns)`, with the columns' Python types.

    Each run sees the newest state. Not while the session holds a connection: a request that has one and waits for
    another could wait for itself."""

    def __init__(self, statement: Select[*tuple[Any, ...]], make: Callable[..., T]) -> None:
        self._statement = statement
        self._make = make
        self._compiled: dict[str, _Compiled] = {}
        self._lock = threading.Lock()

    def all(self, **values: str | int | None) -> list[T]:
        """Every row."""
        make = self._make
        return [make(*row) for row in self._rows(values)]

    def first(self, **values: str | int | None) -> T | None:
        """The first row, or None."""
        found = self._rows(values)
        return self._make(*found[0]) if found else None

    def _rows(self, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        engine = db.engine
        compiled = self._compiled.get(engine.dialect.name) or self._compile(engine)
        return compiled.run(engine, values)

    def _compile(self, engine: Engine) -> _Compiled:
        with self._lock:
            return self._compiled.setdefault(engine.dialect.name, _Compiled(self._statement, engine))


class _Compiled:
    """A statement as the driver of one kind of database takes it."""

    def __init__(self, statement: Select[*tuple[Any, ...]], engine: Engine) -> None:
        compiled = statement.compile(engine)
        self._text = str(compiled)
        self._order: Sequence[str] | None = compiled.positiontup if compiled.positional else None
        # Values of the statement itself, such as the 'cached' of a condition.
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        kinds = [column.type.dialect_impl(engine.dialect) for column in statement.selected_columns]
        found = [kind.result_processor(engine.dialect, None) for kind in kinds]
        self._converters = [(place, convert) for place, convert in enumerate(found) if convert is not None]

    def run(self, engine: Engine, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """The rows, with the columns' Python types. Raises DatabaseError."""
        named = self._fixed | values
        parameters: Any = named if self._order is None else [named[name] for name in self._order]
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            for listener in engine.dispatch.before_cursor_execute:
                listener(None, cursor, self._text, parameters, None, False)
            cursor.execute(self._text, parameters)
            rows: Sequence[Sequence[Any]] = cursor.fetchall()
            cursor.close()
        except engine.dialect.loaded_dbapi.Error as error:
            connection.invalidate()  # whatever broke, the next request gets a new one
            raise DBAPIError.instance(
                self._text, None, error, engine.dialect.loaded_dbapi.Error, hide_parameters=True, dialect=engine.dialect
            ) from error
        finally:
            connection.close()
        return [self._convert(row) for row in rows] if self._converters else rows

    def _convert(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for place, convert in self._converters:
            values[place] = convert(values[place])
        return values
