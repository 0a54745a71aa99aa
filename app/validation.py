"""Rules for text, and pydantic's errors as sentences. The APIs and the forms use the same words.

`Text` is one line that people can read. `LongText` may have several lines. `StoredText` is text that others chose, such
as a file's name: it is stored as it is, and made safe where it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from slipway.archive.invisible_characters import INVISIBLE

_DIRECTION = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_LINE_CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_CONTROLS = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"  # without tab and line breaks

# What a line and a text of several lines must not contain, as the inside of a character class.
HIDDEN_IN_LINE = _LINE_CONTROLS + _DIRECTION
HIDDEN_IN_LINES = _CONTROLS + _DIRECTION

_IN_LINE = re.compile(f"[{_LINE_CONTROLS}]")
_IN_LINES = re.compile(f"[{_CONTROLS}]")
_TURNS = re.compile(f"[{_DIRECTION}]")
_BLANK = re.compile(rf"[\s\u2800]|{INVISIBLE.pattern}")


def with_pattern(pattern: str) -> Any:
    """A pattern for the OpenAPI document alone. The type's own validator explains what is wrong in words."""
    return Field(json_schema_extra={"pattern": pattern})


def problem_of_line(text: str) -> str | None:
    """Why a text is not one line that people can read, as a phrase that follows its name. None if it is one, or
    empty."""
    if _IN_LINE.search(text):
        return "must be one line without control characters"
    return _unreadable(text)


def problem_of_lines(text: str) -> str | None:
    """The same for a text of several lines."""
    if _IN_LINES.search(text):
        return "must not contain control characters, except line breaks and tabs"
    return _unreadable(text)


def _unreadable(text: str) -> str | None:
    if found := _TURNS.search(text):
        return f"must not contain U+{ord(found[0]):04X}, which changes the direction of the text around it"
    if text and not _BLANK.sub("", text):
        return "must have a character that can be seen"
    return None


def _line(text: str) -> str:
    if problem := problem_of_line(text):
        raise ValueError(problem)
    return text


def _lines(text: str) -> str:
    if problem := problem_of_lines(text):
        raise ValueError(problem)
    return text


def _storable(text: str) -> str:
    # SQLite could store NUL, Postgres cannot. Both refuse it.
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    return text


def _readable(hidden: str) -> str:
    """The pattern of a text in which one character at least can be seen."""
    return rf"^[^{hidden}]*[^{hidden}\s][^{hidden}]*$"


Text = Annotated[str, AfterValidator(_line), with_pattern(_readable(HIDDEN_IN_LINE))]
LongText = Annotated[str, AfterValidator(_lines), with_pattern(_readable(HIDDEN_IN_LINES))]
# Also without any text, for what can be emptied.
OptionalLongText = Annotated[str, AfterValidator(_lines), with_pattern(rf"^[^{HIDDEN_IN_LINES}]*$")]
StoredText = Annotated[str, AfterValidator(_storable), with_pattern(r"^[^\u0000]*$")]

_WHOLE, _NUMBER = "must be a whole number", "must be a number"
_SENTENCES = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_unicode": "must be Unicode text",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} character",
    "too_long": "must have at most {max_length} entries, it has {actual_length}",
    "too_short": "must have at least {min_length} entry",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be greater than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}
_TIME = "must be a time with its zone, such as 2026-03-01T12:00:00Z"


def sentence(problem: Mapping[str, Any]) -> str:
    """One of pydantic's `ValidationError.errors()` as a phrase that follows the name of the value."""
    context, kind = problem.get("ctx", {}), problem["type"]
    if kind == "value_error":
        return str(context["error"])
    if kind.startswith(("datetime_", "timezone_")):
        return _TIME
    if isinstance(problem["input"], str) and kind in {"too_long", "too_short"}:
        kind = f"string_{kind}"  # pydantic's type for a length after one of our validators
    return _SENTENCES.get(kind, "does not have the expected form").format(**context)
