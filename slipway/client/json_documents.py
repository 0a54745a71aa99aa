"""Parsing untrusted JSON."""

from __future__ import annotations

import json
from typing import Any


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object in `text`, or None if `text` is anything else."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):  # RecursionError: a thousand nested brackets
        return None
    return document if isinstance(document, dict) else None
