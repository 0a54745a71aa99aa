"""A thread that looks again and again for work that is due although nobody told a worker."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.data.outages import outage_in

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger(__name__)


class DueWorkWatch(ABC):
    """A thread of every process with workers. A subclass says what it looks for (`due`, in words), and how often."""

    name: str
    due: str
    seconds: float  # between two looks

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the piece of work that is under way."""
        self._ended.set()

    def wait(self, seconds: float) -> None:
        """Wait up to this long for the thread, which was told to end."""
        if self._thread is not None:
            self._thread.join(seconds)

    def look(self) -> None:
        """Look once, in an app context."""
        with self._failures_logged():
            self._look()

    def _run(self) -> None:
        while not self._ended.wait(self.seconds):
            with self._failures_logged(), self._app.app_context():
                self._look()

    @contextmanager
    def _failures_logged(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of any kind, the queue's too: the thread goes on
            if outage_in(error) is None:
                log.exception("%s were not queued; trying again in %s s", self.due, self.seconds)

    @abstractmethod
    def _look(self) -> None:
        """Do or queue what is due."""
