"""An unfinished download: `<key>.part`, with metadata beside it that names its archive."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.plan import WantedBuild
from slipway.client.durable import read_json, write_json
from slipway.disk_errors import error_at


class PartFile:
    """An append-only file. It is unbuffered, so that a killed process loses no bytes that it had read."""

    def __init__(self, layout: CacheLayout, wanted: WantedBuild) -> None:
        self.path: Path = layout.part(wanted.key)
        self._metadata_path = layout.part_metadata(wanted.key)
        self._metadata = {"checksum": f"sha256:{wanted.sha256}", "size": wanted.size}
        self._descriptor = -1
        self.length = 0

    def __enter__(self) -> PartFile:
        # After a restore from a backup the same number can mean another archive. Without this check only the digest
        # would show that, after the complete download.
        fresh = read_json(self._metadata_path) != self._metadata
        if fresh:
            self.path.unlink(missing_ok=True)
            write_json(self._metadata_path, self._metadata)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self.path, flags, 0o600)
        self.length = os.fstat(self._descriptor).st_size
        if self.length > int(str(self._metadata["size"])):
            self.restart()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def append(self, view: memoryview) -> None:
        with error_at(self.path):
            while view:
                written = os.write(self._descriptor, view)
                self.length += written
                view = view[written:]

    def restart(self) -> None:
        with error_at(self.path):
            os.ftruncate(self._descriptor, 0)
        self.length = 0
