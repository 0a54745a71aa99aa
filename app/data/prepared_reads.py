"""Prepared reads: SELECT statements that are compiled once per kind of database and run on the driver's connection.

SQLAlchemy takes 90 µs for the shortest query on a connection of its own and 400 µs on a session, of which the database
needs 10. Calls that scripts repeat many times a second read with these (docs/decisions/0071).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Engine, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Select

from app.data.database import is_writing
from app.data.extensions import db

T = TypeVar("T")
Value = str | int | datetime | None


class PreparedRead(Generic[T]):
    """A SELECT with named parameters. Each row becomes `make(*columns)`, with the columns' Python types.

    Each run sees the newest state. Not while the session holds a connection: a request that has one and waits for
    another could wait for itself. Only inside writing() it may: then the statement runs in that transaction."""

    def __init__(self, statement: Select[*tuple[Any, ...]], make: Callable[..., T]) -> None:
        self._statement = statement
        self._make = make
        self._compiled: dict[str, _Compiled] = {}
        self._lock = threading.Lock()

    def all(self, **values: Value) -> list[T]:
        """Every row."""
        make = self._make
        return [make(*row) for row in self._rows(values)]

    def first(self, **values: Value) -> T | None:
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
        self._binders = {
            name: convert
            for name, parameter in compiled.binds.items()
            if (convert := parameter.type.dialect_impl(engine.dialect).bind_processor(engine.dialect)) is not None
        }
        # Values of the statement itself, such as the 'cached' of a condition.
        self._fixed = self._bound({name: value for name, value in compiled.params.items() if value is not None})
        self._kinds = [column.type.dialect_impl(engine.dialect) for column in statement.selected_columns]
        self._converters: Sequence[tuple[int, Callable[[Any], Any]]] | None = None  # known after the first run

    def run(self, engine: Engine, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """The rows, with the columns' Python types. Raises DatabaseError."""
        named = self._fixed | self._bound(values)
        parameters: Any = named if self._order is None else [named[name] for name in self._order]
        driver_error = engine.dialect.loaded_dbapi.Error
        try:
            rows = self._in_transaction(engine, parameters) if is_writing() else self._alone(engine, parameters)
        except driver_error as error:
            raise DBAPIError.instance(
                self._text, None, error, driver_error, hide_parameters=True, dialect=engine.dialect
            ) from error
        converters = self._converters
        return [_convert(row, converters) for row in rows] if converters else rows

    def _bound(self, values: dict[str, Any]) -> dict[str, Any]:
        """Values as the driver takes them: SQLite's has no times."""
        binders = self._binders
        return {name: binders[name](value) if name in binders else value for name, value in values.items()}

    def _alone(self, engine: Engine, parameters: Any) -> Sequence[Sequence[Any]]:
        connection = engine.raw_connection()
        try:
            if engine.dialect.name != "postgresql":
                return self._execute(engine, connection, parameters)
            # Without a transaction: BEGIN and ROLLBACK around one SELECT would be two more round trips.
            driver: Any = connection.driver_connection
            driver.autocommit = True
            rows = self._execute(engine, connection, parameters)
            driver.autocommit = False
            return rows
        except BaseException:
            # Whatever broke, the next request gets a new one. Not only after the driver's errors: a text that cannot be
            # encoded is none, and would leave a connection that commits each statement of a later transaction.
            connection.invalidate()
            raise
        finally:
            connection.close()

    def _in_transaction(self, engine: Engine, parameters: Any) -> Sequence[Sequence[Any]]:
        session = db.session()
        session.flush()
        return self._execute(engine, session.connection().connection, parameters)

    def _execute(self, engine: Engine, connection: PoolProxiedConnection, parameters: Any) -> Sequence[Sequence[Any]]:
        cursor = connection.cursor()
        for listener in engine.dispatch.before_cursor_execute:
            listener(None, cursor, self._text, parameters, None, False)
        cursor.execute(self._text, parameters)
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
        if self._converters is None:  # they depend on the driver's types
            found = [
                kind.result_processor(engine.dialect, described[1])
                for kind, described in zip(self._kinds, cursor.description or (), strict=True)
            ]
            self._converters = [(place, convert) for place, convert in enumerate(found) if convert is not None]
        cursor.close()
        return rows


def _convert(row: Sequence[Any], converters: Sequence[tuple[int, Callable[[Any], Any]]]) -> Sequence[Any]:
    values = list(row)
    for place, convert in converters:
        values[place] = convert(values[place])
    return values
