"""Quota for an archive of unknown size, reserved step by step while it arrives."""

from __future__ import annotations

from app.accounts.build_quota import reserve_more
from app.config.settings import MIB
from app.data.database import free_connection, writing
from app.data.models.upload import Upload
from app.refusals import UploadInterrupted

# One transaction per step, smaller ones as the quota fills up.
STEP = 32 * MIB


class GrowingReservation:
    """The reservation of one chunked upload. Holds no database connection between its steps."""

    def __init__(self, upload: Upload, partner_id: str) -> None:
        self._upload_id = upload.id
        self._partner_id = partner_id
        self._reserved = upload.reserved_bytes

    def cover(self, received: int) -> None:
        """Make sure that the `received` bytes are reserved. Raises QuotaExceeded as soon as they do not fit."""
        if received > self._reserved:
            self._set(received, STEP)

    def settle(self, size: int) -> None:
        """The archive has ended after `size` bytes, which are reserved: free what was reserved ahead."""
        self._set(size, 0)

    def _set(self, received: int, ahead: int) -> None:
        with writing() as session:
            upload = session.get(Upload, self._upload_id, with_for_update=True, populate_existing=True)
            if upload is None or upload.state == "discarding":
                raise UploadInterrupted("The upload was cancelled meanwhile. Nothing was kept; send the archive again.")
            reserve_more(session, self._partner_id, upload, received, ahead)
            self._reserved = upload.reserved_bytes
        free_connection()
