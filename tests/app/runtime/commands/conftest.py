"""`flask` commands, run in a context of their own as in a shell."""

from __future__ import annotations

import contextvars

import pytest
from click.testing import Result
from flask import Flask

from app.data.extensions import db


class Shell:
    def __init__(self, app: Flask) -> None:
        self._runner = app.test_cli_runner()

    def run(self, *words: str, said: str = "") -> Result:
        """Run `flask <words>` with `said` on its standard input."""
        db.session.rollback()  # what the test has read is old news after the command
        return contextvars.Context().run(self._runner.invoke, args=list(words), input=said)

    def refused(self, *words: str, said: str = "") -> str:
        """The one line with which a command is refused."""
        result = self.run(*words, said=said)
        assert result.exit_code == 1, result.output
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("Error: ")
        return line


@pytest.fixture
def shell(app: Flask) -> Shell:
    return Shell(app)
