"""One log line when a service fails, and one when it works again, however many calls fail in between."""

from __future__ import annotations

import logging
import threading


class StateLog:
    """The state of one service, as this process sees it. Thread-safe.

    `failing`: the line for a failure; it may have one `%s` for the reason. `working`: the line for the end of it."""

    def __init__(self, log: logging.Logger, failing: str, working: str) -> None:
        self._log = log
        self._failing_line, self._working_line = failing, working
        self._lock = threading.Lock()
        self.is_failing = False

    def failed(self, *reason: object) -> None:
        """Record a failed call. Logs the first one after a success."""
        with self._lock:
            if self.is_failing:
                return
            self.is_failing = True
        self._log.warning(self._failing_line, *reason)

    def worked(self) -> None:
        """Record a call that worked. Logs the first one after a failure. Cheap enough for every call."""
        if not self.is_failing:
            return
        with self._lock:
            is_first, self.is_failing = self.is_failing, False
        if is_first:
            self._log.info(self._working_line)
