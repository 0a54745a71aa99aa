"""Named points at which the kill tests end the app as a power cut would: no handler runs, nothing is flushed.

The agent has its own (`agent/crash_points.py`): it never imports the app.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "upload-row-written",
    "multipart-opened",
    "mid-body",
    "body-read",
    "parts-stored",
    "object-complete",
    "before-publish",
    "in-publish",
    "after-publish",
    "mid-discard",
    "in-report",
    "mid-purge",
    "resumable-row-written",
    "resumable-opened",
    "resumable-ready",
    "parts-verified",
    "completion-written",
    "check-claimed",
    "parts-joined",
    "mid-check",
    "archive-read",
    "check-published",
    "refusal-written",
    "upload-tidied",
    "expiry-marked",
    "build-removed",
    "asset-verified",
    "asset-stored",
    "asset-published",
    "variant-stored",
    "reservation-released",
    "blob-doomed",
    "objects-deleted",
)
_chosen = os.environ.get("SLIPWAY_APP_CRASH_AT")


def passing(point: str) -> None:
    """SIGKILL this process if the environment names this point."""
    if _chosen is not None and _chosen == point:
        os.kill(os.getpid(), signal.SIGKILL)
