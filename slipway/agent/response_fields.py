"""Single fields of the platform's answers: one parser per kind of value, each with bounds and a reason for them."""

from __future__ import annotations

import math
import reprlib
from typing import Any

# A pebibyte: more than a game server's disk holds, and sums of a few of them stay far within 64 bits.
MAX_BYTES = 1 << 50
# What the platform's database can count to. Python's own numbers have no end.
MAX_COUNTER = 2**63 - 1
# As many builds as a report may list (docs/agents.md): a longer plan could never be reported on.
MAX_BUILDS = 10_000
# Presigned addresses are a few hundred characters; servers commonly refuse request lines beyond 8 KiB.
MAX_ADDRESS_LENGTH = 8192


def parse_integer(value: object, what: str, most: int = MAX_COUNTER, least: int = 0) -> int:
    """`value` if it is an integer from `least` to `most`. Raises ValueError."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{what} {reprlib.repr(value)} is not a whole number from {least} to {most}")
    return value


def parse_boolean(value: object, what: str) -> bool:
    """`value` if it is true or false. Raises ValueError."""
    if not isinstance(value, bool):
        raise ValueError(f"{what} {reprlib.repr(value)} is neither true nor false")
    return value


def parse_wait_seconds(value: object, longest: float) -> float:
    """A wait that the platform asks for, from 0 to `longest`; 0 for what is no wait, for an answer is of use without
    one."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return 0.0
    if value < 0 or (isinstance(value, float) and math.isnan(value)):
        return 0.0
    return float(min(value, longest))


def parse_list(value: object, what: str, most: int = MAX_BUILDS) -> list[Any]:
    """`value` if it is a list of at most `most`. Raises ValueError."""
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"{what} is not a list of at most {most}")
    return value


def parse_address(value: object, what: str) -> str:
    """`value` if it could be an address; where it leads is for `storage_addresses` to judge. Raises ValueError."""
    if not isinstance(value, str) or not value or len(value) > MAX_ADDRESS_LENGTH:
        raise ValueError(f"{what} is not an address of at most {MAX_ADDRESS_LENGTH} characters")
    return value
