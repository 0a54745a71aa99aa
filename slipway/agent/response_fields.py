"""Parsers for single fields of the platform's responses, one per kind of value, with bounds."""

from __future__ import annotations

import math
import reprlib
from typing import Any

# A pebibyte: more than a game server's disk holds, and sums of a few of them stay far within 64 bits.
MAX_BYTES = 1 << 50
# The largest integer of the platform's database. Python's own integers have no limit.
MAX_COUNTER = 2**63 - 1
# A report may list this many builds (docs/agents.md), so the agent could not report on a longer plan.
MAX_BUILDS = 10_000
# Presigned addresses have a few hundred characters; servers commonly reject request lines beyond 8 KiB.
MAX_ADDRESS_LENGTH = 8192


def parse_integer(value: object, what: str, maximum: int = MAX_COUNTER, minimum: int = 0) -> int:
    """`value` if it is an integer from `minimum` to `maximum`. Raises ValueError."""
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        raise ValueError(f"{what} {reprlib.repr(value)} is not a whole number from {minimum} to {maximum}")
    return value


def parse_boolean(value: object, what: str) -> bool:
    """`value` if it is true or false. Raises ValueError."""
    if not isinstance(value, bool):
        raise ValueError(f"{what} {reprlib.repr(value)} is neither true nor false")
    return value


def parse_wait_seconds(value: object, maximum: float) -> float:
    """The seconds that the platform asks the agent to wait, from 0 to `maximum`. 0 for any other value: the rest of the
    response is still useful."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return 0.0
    if value < 0 or (isinstance(value, float) and math.isnan(value)):
        return 0.0
    return float(min(value, maximum))


def parse_list(value: object, what: str, maximum: int = MAX_BUILDS) -> list[Any]:
    """`value` if it is a list of at most `maximum` entries. Raises ValueError."""
    if not isinstance(value, list) or len(value) > maximum:
        raise ValueError(f"{what} is not a list of at most {maximum} entries")
    return value


def parse_address(value: object, what: str) -> str:
    """`value` if it can be an address; `storage_addresses` checks where it leads. Raises ValueError."""
    if not isinstance(value, str) or not value or len(value) > MAX_ADDRESS_LENGTH:
        raise ValueError(f"{what} is not an address of at most {MAX_ADDRESS_LENGTH} characters")
    return value
