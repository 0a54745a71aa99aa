"""The storage that most tests share."""

from __future__ import annotations

from app.storage.embedded_server import EmbeddedStorage


class QuickStorage(EmbeddedStorage):
    """The same gateway with its metadata in Badger, where a small object costs a fourth of the processor time that it
    costs in SQLite. It starts once: Badger does not open again what a short command of JuiceFS has opened and left."""

    metadata = "badger://metadata"

    def _prepare_volume(self) -> None:
        self._volume.mkdir()
        self._format_in(self._volume)
