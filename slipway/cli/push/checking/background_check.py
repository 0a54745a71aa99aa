"""Checks a large archive while it is being sent. The check reads ahead: no byte is sent before it was checked."""

from __future__ import annotations

import threading
from collections.abc import Callable

from slipway.cli.push.checking.archive_check import ArchiveRules
from slipway.cli.push.checking.checked_reading import CheckedBytes, read_checked


class _Stopped(Exception):
    """The archive was closed."""


class BackgroundCheck:
    """`read_at(offset, size)` reads the archive of `size` bytes; it must be thread-safe. So are all methods. Call
    `stop()` at the end."""

    def __init__(self, read_at: Callable[[int, int], bytes], rules: ArchiveRules, size: int) -> None:
        self._read_at = read_at
        self._changed = threading.Condition()
        self._checked_bytes = 0
        self._result: CheckedBytes | None = None
        self._problem: Exception | None = None
        self._stopped = False
        # A daemon thread: after Ctrl-C it must not delay the exit of the program.
        self._thread = threading.Thread(target=self._run, args=(rules, size), name="archive-check", daemon=True)
        self._thread.start()

    @property
    def result_so_far(self) -> CheckedBytes | None:
        """The result, or None while the check runs and after it failed."""
        with self._changed:
            return self._result

    def wait_for(self, end: int) -> None:
        """Wait until all bytes before `end` were checked. Raises CommandError if the archive is refused, also because
        of a later byte."""
        with self._changed:
            self._changed.wait_for(lambda: self._problem or self._result or self._checked_bytes >= end)
            if self._problem is not None:
                raise self._problem

    def result(self) -> CheckedBytes:
        """Wait for the end. Raises CommandError if the archive is refused."""
        with self._changed:
            self._changed.wait_for(lambda: self._problem or self._result)
            if self._problem is not None:
                raise self._problem
            assert self._result is not None
            return self._result

    def stop(self) -> None:
        """End the check, and wait for its thread."""
        self._stopped = True
        self._thread.join()

    def _run(self, rules: ArchiveRules, size: int) -> None:
        result, problem = None, None
        try:
            result = read_checked(_Sequential(self._read_at), rules, self._advance, size=size)
        except Exception as error:  # raised again where somebody waits
            problem = error
        with self._changed:
            self._result, self._problem = result, problem
            self._changed.notify_all()

    def _advance(self, done: int) -> None:
        if self._stopped:
            raise _Stopped
        with self._changed:
            self._checked_bytes = done
            self._changed.notify_all()


class _Sequential:
    """Reads a file from its beginning, without moving the position that others use."""

    def __init__(self, read_at: Callable[[int, int], bytes]) -> None:
        self._read_at = read_at
        self._offset = 0

    def read(self, size: int) -> bytes:
        data = self._read_at(self._offset, size)
        self._offset += len(data)
        return data
