"""Where an assembled archive goes: straight to the bucket, while it is hashed and inspected like any other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from app.config.settings import settings
from app.process.crash_points import crash_point
from app.storage.bucket import Bucket, StorageError
from app.storage.part_writer import PartWriter, part_size
from app.uploads.raw.incoming_body import too_large
from app.uploads.raw.inspection_thread import InspectionThread
from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.inspection import Inspection, Inspector


class ArchiveSink:
    """One multipart transfer to `key`. `size` counts the bytes written, `files` those inspected."""

    def __init__(
        self,
        store: Bucket,
        key: str,
        limits: ArchiveLimits,
        launcher: str | None,
        cover: Callable[[int], None],
    ) -> None:
        """`cover` gets the number of bytes so far before they are stored, and raises if there is no room for them."""
        self.size = 0
        self._store, self._key = store, key
        self._cover = cover
        self._max_bytes = settings().max_archive_bytes
        self._multipart_id = store.start_multipart(key)
        crash_point("assembly-opened")
        self._writer = PartWriter(store, key, self._multipart_id, part_size(None, self._max_bytes))
        self._inspector = Inspector(limits, launcher)
        self._checker = InspectionThread(self._inspector)
        self._digest = hashlib.sha256()

    @property
    def files(self) -> int:
        return self._inspector.members_read

    @property
    def sha256(self) -> str:
        """Lowercase hex, of what was written."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """The next bytes. Raises PayloadTooLarge, InvalidArchive, StorageError, and what `cover` raises."""
        if not data:
            return  # the compressor often has nothing to write
        self.size += len(data)
        if self.size > self._max_bytes:
            raise too_large(self._max_bytes)
        self._cover(self.size)
        self._checker.feed(data)
        self._writer.write(data)
        self._digest.update(data)

    def finish(self) -> Inspection:
        """Make the object, and return what is in it. Raises InvalidArchive and StorageError."""
        inspection = self._checker.finish()
        etags = self._writer.finish()
        crash_point("assembly-written")
        self._store.complete_multipart(self._key, self._multipart_id, etags)
        stored = self._store.stat(self._key)
        if stored is None or stored.size != self.size:
            raise StorageError("finishing an archive")
        return inspection

    def close(self) -> None:
        """End the threads."""
        self._checker.close()
        self._writer.close()
