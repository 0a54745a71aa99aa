"""Counting queries: whether an API key has ended is read once a second, whatever is called, and does not count."""

from __future__ import annotations

from typing import Any

from app.topics.names import KEYS_TOPIC


def is_key_check(parameters: Any) -> bool:
    """Whether a statement with these parameters only asks whether keys have ended."""
    asked = parameters.values() if isinstance(parameters, dict) else parameters or ()
    return KEYS_TOPIC in asked
