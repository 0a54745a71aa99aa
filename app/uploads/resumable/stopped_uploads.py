"""When an upload that is being sent counts as stopped. Its row has when it last moved (sending_times.py)."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.data.models.base import now
from app.data.models.upload import Upload

STOPPED_AFTER = timedelta(minutes=2)  # without a part
SWEEP_INTERVAL = timedelta(minutes=1)


def stops_at(upload: Upload) -> datetime:
    """When an upload that is being sent counts as stopped, unless another part arrives. A part is noticed up to one
    sweep later."""
    return upload.touched_at + STOPPED_AFTER + SWEEP_INTERVAL


def silent_since(upload: Upload) -> datetime | None:
    """When an upload last moved that counts as stopped. None if parts arrive, or if all have arrived."""
    return upload.touched_at if upload.state == "uploading" and stops_at(upload) <= now() else None
