"""The heartbeat of the process that receives a raw upload."""

from __future__ import annotations

from contextlib import AbstractContextManager

from sqlalchemy import update

from app.data import heartbeat as heartbeats
from app.data.models.base import now
from app.data.models.upload import Upload

HEARTBEAT_SECONDS = 15.0


def heartbeat(upload_id: str) -> AbstractContextManager[None]:
    """Touch the upload's row every 15 s during the block. A client that sends a byte now and then fills no piece for
    many minutes, and the sweep must not treat its upload as dead."""
    touched = update(Upload).where(Upload.id == upload_id)
    return heartbeats.heartbeat(HEARTBEAT_SECONDS, f"upload {upload_id}", lambda: touched.values(touched_at=now()))
