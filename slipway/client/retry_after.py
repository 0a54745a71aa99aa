"""Parsing Retry-After headers (RFC 9110) within bounds."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MAX_HEADER_LENGTH = 64  # characters; an HTTP date has 29


def retry_after_seconds(header: str | None, maximum: float) -> float | None:
    """Seconds from 0 to `maximum`. None if the header is missing, or is neither whole seconds nor a date; the
    caller's own back-off applies then."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return maximum if len(text) > _MAX_HEADER_LENGTH else min(maximum, float(text))
    if not text or len(text) > _MAX_HEADER_LENGTH:
        return None
    try:
        until = parsedate_to_datetime(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max(0.0, min(maximum, (until - datetime.now(UTC)).total_seconds()))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
