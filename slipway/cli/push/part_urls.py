"""Signed URLs for parts, requested in batches, and again when storage rejects one."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from slipway.cli.platform_client import PlatformClient

_MAX_BATCH = 100


class PartUrls:
    """Thread-safe; all threads of an upload share one."""

    def __init__(
        self, platform: PlatformClient, path: str, urls: Iterable[dict[str, Any]], wanted: Iterable[int]
    ) -> None:
        self._platform = platform
        self._path = path
        self._lock = threading.Lock()
        self._wanted = dict.fromkeys(wanted)
        self._urls = {int(part["partNumber"]): str(part["url"]) for part in urls}

    def url_for(self, number: int) -> str:
        """The URL of a part. Raises CommandError."""
        with self._lock:  # also during the request, because the other threads need the same response
            if number not in self._urls:
                others = [other for other in self._wanted if other != number and other not in self._urls]
                body = {"partNumbers": [number, *others[: _MAX_BATCH - 1]]}
                answer = self._platform.call("POST", f"{self._path}/parts", body)
                self._urls |= {int(part["partNumber"]): str(part["url"]) for part in answer["urls"]}
            return self._urls[number]

    def discard(self, number: int, url: str) -> None:
        """Discard a URL that storage rejected. The others are as old, so all are discarded."""
        with self._lock:
            if self._urls.get(number) == url:
                self._urls.clear()

    def mark_stored(self, number: int) -> None:
        with self._lock:
            self._wanted.pop(number, None)
            self._urls.pop(number, None)
