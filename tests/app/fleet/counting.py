"""Counting the statements that a block of code sends to the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app.data.extensions import db


class Statements(list[str]):
    """What was sent, in order."""

    def writes(self, table: str) -> int:
        """How many of them write to a table."""
        return sum(text.startswith((f"UPDATE {table} ", f"INSERT INTO {table} ")) for text in self)

    @property
    def queries(self) -> int:
        return sum(text.startswith("SELECT") for text in self)


@contextmanager
def statements() -> Iterator[Statements]:
    """Everything that the app's engine executes meanwhile, in any thread. Rows of an executemany count singly.

    Begins with a new session, as a request does: objects that a test holds would be refreshed one by one."""
    sent = Statements()
    db.session.remove()

    def note(_: Any, __: Any, text: str, parameters: Any, ___: Any, many: bool) -> None:
        sent.extend([text] * (len(parameters) if many else 1))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
