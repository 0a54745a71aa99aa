"""Names that people choose: one line of text that can be stored and shown."""

from __future__ import annotations

import unicodedata

from app.refusals import InvalidRequest


def checked_name(text: str, max_length: int, what: str, field: str = "name", *, min_length: int = 1) -> str:
    """The name without surrounding space. Raises InvalidRequest, which begins with `what` and names the form's
    field."""
    text = text.strip()
    if not min_length <= len(text) <= max_length:
        span = f"{min_length} to {max_length} characters" if min_length else f"at most {max_length} characters"
        raise InvalidRequest(f"{what} must have {span}.", {field: span})
    # Control characters break lines in logs and lists. Postgres cannot store NUL, and neither database half a surrogate
    # pair.
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise InvalidRequest(f"{what} must be one line without control characters.", {field: "no control characters"})
    return text
