"""The lease of a worker that makes the sizes of an image.

A heartbeat extends it, so it can be short: the image of a worker that was killed is due after seconds.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta

from sqlalchemy import update

from app.data.heartbeat import heartbeat
from app.data.models.asset import Blob
from app.data.models.base import now

# With the time until a worker looks for due images (app/runtime/image_watch.py) and another attempt, less than 30 s.
LEASE = timedelta(seconds=12)
HEARTBEAT_SECONDS = 3.0


def kept_lease(blob_id: str, attempt: int) -> AbstractContextManager[None]:
    """Extend the lease of this attempt during the block."""
    mine = update(Blob).where(Blob.id == blob_id, Blob.derivation == "pending", Blob.derive_attempts == attempt)
    return heartbeat(HEARTBEAT_SECONDS, f"image {blob_id}", lambda: mine.values(derive_at=now() + LEASE))
