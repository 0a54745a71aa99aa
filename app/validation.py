"""Text that both databases can store, and pydantic's errors as sentences. The APIs and the forms use the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator


def _storable(text: str) -> str:
    # SQLite could store NUL, Postgres cannot. Both refuse it.
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    return text


Text = Annotated[str, AfterValidator(_storable)]

_SENTENCES = {
    "missing": "is required",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} character",
    "too_long": "must have at most {max_length} entries, it has {actual_length}",
    "too_short": "must have at least {min_length} entry",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


def sentence(problem: Mapping[str, Any]) -> str:
    """One of pydantic's `ValidationError.errors()` as a phrase that follows the name of the value."""
    context, kind = problem.get("ctx", {}), problem["type"]
    if kind == "value_error":
        return str(context["error"])
    if isinstance(problem["input"], str) and kind in {"too_long", "too_short"}:
        kind = f"string_{kind}"  # pydantic's type for a length after one of our validators
    pattern = _SENTENCES.get(kind)
    return pattern.format(**context) if pattern else str(problem["msg"]).lower()
