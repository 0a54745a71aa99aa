"""One log line when something stops to answer, and one when it answers again, however often it is asked meanwhile."""

from __future__ import annotations

import logging


class OutageLog:
    """The outages of one thing, such as "the job queue". Two threads at once may log a line twice."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log, self._what = log, what
        self._is_away = False

    def failed(self, error: Exception) -> None:
        """It did not answer. Only the kind of the error is logged: its text may hold an address with a password."""
        if not self._is_away:
            self._is_away = True
            self._log.warning("%s does not answer: %s", self._what, type(error).__name__)

    def answered(self) -> None:
        """It answered."""
        if self._is_away:
            self._is_away = False
            self._log.info("%s answers again", self._what)
