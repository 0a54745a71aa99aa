"""JSON from elsewhere, read without trusting it."""

from __future__ import annotations

import json
from typing import Any


def json_object(text: bytes) -> dict[str, Any] | None:
    """The JSON object in `text`, or None."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):  # the latter of a thousand brackets within each other
        return None
    return document if isinstance(document, dict) else None
