"""Texts as both databases can store them, and what pydantic finds wrong with a value as a sentence: the same words for
the APIs and for the forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator


def _storable(text: str) -> str:
    # Postgres cannot store NUL, and SQLite can: refused on both.
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
    """One of pydantic's `ValidationError.errors()`, to be read behind the name of the value."""
    context, kind = problem.get("ctx", {}), problem["type"]
    if kind == "value_error":
        return str(context["error"])
    if isinstance(problem["input"], str) and kind in {"too_long", "too_short"}:
        kind = f"string_{kind}"  # what pydantic says of a length after a validator of ours
    pattern = _SENTENCES.get(kind)
    return pattern.format(**context) if pattern else str(problem["msg"]).lower()
