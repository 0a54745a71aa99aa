"""Uploads the missing parts directly to storage: a few in parallel, with retries, and with memory that does not
depend on their size."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.archive_file import Archive
from slipway.cli.push.part_urls import PartUrls
from slipway.client.backoff import RetryBudget
from slipway.client.transport import describe_network_error, make_pool

MAX_IN_FLIGHT = 4
# While a body is being sent, the first timeout applies to each block of 256 KiB.
_TIMEOUT = urllib3.Timeout(connect=30.0, read=120.0)
_MAX_FORBIDDEN = 5
_MAX_ANSWER_BYTES = 1 << 16
_REPORT_SECONDS = 0.1


class UploadGone(Exception):
    """Storage has no such upload. The platform's state of the upload shows why."""


class _Stopped(Exception):
    """Another thread failed, or a person pressed Ctrl-C."""


class PartUploader:
    """`missing` maps part numbers (from 1) to sizes. Every part but the last has `part_size` bytes."""

    def __init__(
        self, archive: Archive, part_size: int, missing: dict[int, int], addresses: PartUrls, patience: float
    ) -> None:
        self._archive = archive
        self._part_size = part_size
        self._sizes = missing
        self._todo = deque(sorted(missing))
        self._urls = addresses
        self._retry_budget = RetryBudget(patience)
        self._pool = make_pool(MAX_IN_FLIGHT)
        self._lock = threading.Lock()
        self._in_flight: dict[int, int] = {}
        self._stored_bytes = 0
        self._error: Exception | None = None
        self._stop = threading.Event()

    def run(self, on_progress: Callable[[int], None]) -> None:
        """Send all missing parts. `on_progress` receives the bytes sent so far. Raises CommandError or UploadGone;
        after any exception the threads end by themselves."""
        # Daemon threads: one that waits for a response must not delay the exit of the program.
        threads = [
            threading.Thread(target=self._work, daemon=True) for _ in range(min(MAX_IN_FLIGHT, len(self._sizes)))
        ]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads) and not self._stop.wait(_REPORT_SECONDS):
                on_progress(self._sent())
            for thread in threads:
                if not self._error:
                    thread.join()
        finally:
            self._stop.set()
        if self._error is not None:
            raise self._error
        on_progress(self._sent())

    def _sent(self) -> int:
        with self._lock:
            return self._stored_bytes + sum(self._in_flight.values())

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    number = self._todo.popleft()
                except IndexError:
                    return
                self._send(number)
        except _Stopped:
            return
        except Exception as error:  # run() raises it again
            with self._lock:
                self._error = self._error or error
            self._stop.set()

    def _send(self, number: int) -> None:
        attempt = forbidden = 0
        while True:
            url = self._urls.url_for(number)
            why = self._put(number, url)
            if why is None:
                break
            if why == "403":
                forbidden += 1
                self._urls.discard(number, url)
                if forbidden == 1:
                    continue  # the URL has probably expired: try a new one at once
            if forbidden == _MAX_FORBIDDEN:
                raise CommandError(
                    f"Storage at {_host(url)} rejects URLs that the platform has just signed (403). Tell the operator: "
                    "the clocks may differ, or a proxy changes requests. Push again to continue.",
                    ExitCode.UNREACHABLE,
                )
            attempt += 1
            self._wait(attempt, url, why)
        self._retry_budget.succeeded()
        self._urls.mark_stored(number)
        with self._lock:
            self._in_flight.pop(number, None)
            self._stored_bytes += self._sizes[number]

    def _put(self, number: int, url: str) -> str | None:
        """Send one part. Returns None if it is stored, else the reason."""
        with self._lock:
            self._in_flight[number] = 0
        body = _PartReader(self, number, (number - 1) * self._part_size, self._sizes[number])
        try:
            response = self._pool.request(
                "PUT",
                url,
                body=body,  # type: ignore[arg-type]  # anything with read()
                headers={"Content-Length": str(self._sizes[number])},
                timeout=_TIMEOUT,
                redirect=False,
                preload_content=False,
            )
            try:
                # An answer that was read to its end leaves the connection for the next part. A longer one is no use.
                response.read(_MAX_ANSWER_BYTES, False)
            finally:
                response.close()
        except (HTTPError, OSError) as error:
            return describe_network_error(error)
        if response.status == 404:
            raise UploadGone
        return None if response.status == 200 else str(response.status)

    def _wait(self, attempt: int, url: str, why: str) -> None:
        seconds = self._retry_budget.wait_after(attempt)
        if seconds is None:
            reason = f"it answered {why}" if why.isdecimal() else why
            raise CommandError(
                f"Storage at {_host(url)} accepts no parts: {reason}. The parts sent so far are kept; push again to "
                "continue.",
                ExitCode.UNREACHABLE,
            )
        if self._stop.wait(seconds):
            raise _Stopped

    def read(self, number: int, offset: int, size: int) -> bytes:
        """Read bytes of the archive for a part."""
        if self._stop.is_set():
            raise _Stopped
        self._archive.require_checked(offset + size)
        data = self._archive.read_at(offset, size)
        if not data:
            self._archive.require_unchanged()
            raise CommandError(f"{self._archive.source} could not be read to its end. Push again.", ExitCode.UNEXPECTED)
        with self._lock:
            self._in_flight[number] += len(data)
        return data


class _PartReader:
    """A part of the archive as a file object for the HTTP client."""

    def __init__(self, sender: PartUploader, number: int, offset: int, size: int) -> None:
        self._sender, self._number, self._offset, self._left = sender, number, offset, size

    def read(self, size: int = -1) -> bytes:
        size = self._left if size < 0 else min(size, self._left)
        if size == 0:
            return b""
        data = self._sender.read(self._number, self._offset, size)
        self._offset += len(data)
        self._left -= len(data)
        return data


def _host(url: str) -> str:
    return urlsplit(url).netloc
