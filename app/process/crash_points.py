"""Named points at which the kill tests end the app like a power cut: no handler runs, nothing is flushed.

The agent has its own (`slipway/agent/crash_points.py`), because it never imports the app.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

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
    "game-given",
    "parts-verified",
    "completion-written",
    "check-claimed",
    "parts-joined",
    "mid-check",
    "archive-read",
    "update-read",
    "assembly-begun",
    "assembly-opened",
    "mid-assembly",
    "assembly-written",
    "check-published",
    "refusal-written",
    "upload-tidied",
    "expiry-marked",
    "build-removed",
    "staged-transfer-opened",
    "staged-joined",
    "asset-verified",
    "asset-stored",
    "asset-published",
    "variant-stored",
    "reservation-released",
    "blob-doomed",
    "objects-deleted",
    "pack-claimed",
    "mid-unpack",
    "archive-unpacked",
    "mid-pack",
    "pack-stored",
    "update-stored",
    "pack-objects-stored",
    "in-pack-publish",
    "pack-published",
    "pack-removed",
)
_chosen = os.environ.get("SLIPWAY_APP_CRASH_AT")
# A file that names a point. The process that reaches the point removes the file first, so that the next process
# survives.
_file = Path(os.environ["SLIPWAY_APP_CRASH_FILE"]) if "SLIPWAY_APP_CRASH_FILE" in os.environ else None


def crash_point(point: str) -> None:
    """SIGKILL this process if the environment names this point."""
    if (_chosen is not None and _chosen == point) or (_file is not None and _is_named(_file, point)):
        os.kill(os.getpid(), signal.SIGKILL)


def _is_named(file: Path, point: str) -> bool:
    try:
        if file.read_text() != point:
            return False
        file.unlink()
    except FileNotFoundError:
        return False
    return True
