"""Connections beside the pool, for short reads that must work while every connection of the pool is in use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, current_app
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from app.config.settings import settings

_ENGINE = "slipway_unpooled_engine"
CONNECT_SECONDS = 2  # the minimum that Postgres's client accepts
STATEMENT_SECONDS = 2


@contextmanager
def unpooled_connection() -> Iterator[Connection]:
    """A new connection for the length of the block, in one transaction for reading. Raises SQLAlchemyError soon if the
    database does not answer: connecting and each statement have a time limit."""
    with _engine().connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'"))
        yield connection


def _engine() -> Engine:
    app: Flask = current_app
    engine: Engine | None = app.extensions.get(_ENGINE)
    if engine is None:  # two threads may make one each; the second stays, and neither holds a connection
        engine = app.extensions[_ENGINE] = create_engine(
            settings().database_url, poolclass=NullPool, hide_parameters=True, connect_args=_limits()
        )
    return engine


def _limits() -> dict[str, int]:
    if settings().database_url.startswith("sqlite"):
        return {"timeout": STATEMENT_SECONDS}
    # The last one is for a host that stops to answer: milliseconds until the kernel gives up.
    return {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": STATEMENT_SECONDS * 1000}
