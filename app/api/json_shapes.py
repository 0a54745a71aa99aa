"""The base class of all JSON shapes, and readable messages for pydantic's validation errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, ValidationError, WithJsonSchema
from pydantic.alias_generators import to_camel

from app.refusals import InvalidRequest
from app.validation import OptionalLongText as OptionalLongText  # re-exported for shapes, with the next two
from app.validation import StoredText as StoredText
from app.validation import Text as Text
from app.validation import sentence, with_pattern


def wire_time(at: datetime) -> str:
    """A time on the wire: ISO 8601, UTC, whole seconds, Z. Not strftime, which takes ten times as long."""
    return at.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


Moment = Annotated[
    datetime,
    PlainSerializer(wire_time, str),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$",
            "examples": ["2026-03-01T12:00:00Z"],
        },
        mode="serialization",
    ),
]

# A checksum of an archive in a response.
Sha256 = Annotated[str, with_pattern("^sha256:[0-9a-f]{64}$")]


class Shape(BaseModel):
    """A JSON object: camelCase in JSON, snake_case in Python. Types are strict ("5" is not 5), unknown fields are
    ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, strict=True, extra="ignore", str_strip_whitespace=True
    )


T = TypeVar("T", bound=Shape)


def encode(shape: Shape) -> bytes:
    """The JSON of an answer. Fields that were not set are left out."""
    return shape.model_dump_json(by_alias=True, exclude_unset=True).encode()


def parse_json(shape: type[T], body: bytes) -> T:
    """Parse a request body. Raises InvalidRequest, which names the field and the rule."""
    try:
        return shape.model_validate_json(body or b"null", by_alias=True, by_name=False)
    except ValidationError as error:
        if any(_is_whole(problem["input"]) for problem in error.errors() if problem["type"] == "int_type"):
            # In JSON Schema 5.0 is an integer, and some languages write every number so.
            return parse_json(shape, json.dumps(json.loads(body, parse_float=_number)).encode())
        raise _invalid_request(error, body) from None


def _is_whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


def parse_fields(shape: type[T], fields: Mapping[str, Any]) -> T:
    """Parse query parameters, converting text to numbers. Raises InvalidRequest, which names the field and the rule."""
    try:
        return shape.model_validate(dict(fields), strict=False, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _invalid_request(error, b"{}") from None


def _invalid_request(error: ValidationError, body: bytes) -> InvalidRequest:
    fields: dict[str, str] = {}
    for problem in error.errors():
        if problem["type"] == "json_invalid":
            place = re.search(r"line (\d+) column (\d+)", problem["ctx"]["error"])
            where = f" at line {place[1]}, column {place[2]}" if place else ""
            return InvalidRequest(f"The body is not valid JSON: something is wrong{where}.")
        if not problem["loc"]:
            return InvalidRequest(
                "The body must be a JSON object." if body.strip() else "The body is empty. Send a JSON object."
            )
        fields.setdefault(_path(problem["loc"]), sentence(dict(problem)))
    return InvalidRequest("; ".join(f"{name} {what}" for name, what in fields.items()), fields)


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
