"""Names from the platform that become paths. They are validated here, before any of them reaches the disk."""

from __future__ import annotations

import re
import reprlib
from typing import NamedTuple

from slipway.agent.response_fields import parse_integer

# No dots: `.slipway` cannot be a game, and `<gameId>.<build>` is unambiguous. At most 64 characters, the platform's
# limit in reports: it would reject every report with a longer id.
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
MAX_BUILD = 2**31 - 1  # as in reports
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can hold half a character, UTF-8 cannot


class BuildKey(NamedTuple):
    """One build of one game, the unit of fetching, caching and eviction."""

    game_id: str
    build: int

    def __str__(self) -> str:
        return f"{self.game_id}.{self.build}"


def parse_identifier(value: object, what: str) -> str:
    """`value` if it is valid as a directory name and as an id in a URL. Raises ValueError."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise ValueError(f"{what} {reprlib.repr(value)} is not an id of at most 64 letters, digits, '-' and '_'")
    return value


def parse_build_number(value: object) -> int:
    """`value` if it is a build number, from 1 to MAX_BUILD. Raises ValueError."""
    return parse_integer(value, "build", MAX_BUILD, 1)


def parse_path_segment(value: object, what: str) -> str:
    """`value` if it is one safe path segment (a top directory, a launcher). Raises ValueError."""
    if (
        not isinstance(value, str)
        or value in {"", ".", ".."}
        or "/" in value
        or "\\" in value
        or _CONTROL.search(value)
        or _SURROGATE.search(value)
        or len(value.encode()) > 255
    ):
        raise ValueError(f"{what} {reprlib.repr(value)} is not a single file name")
    return value


def parse_build_key(text: str) -> BuildKey | None:
    """The key whose `str()` is `text`, or None. For file names in `.slipway`."""
    game_id, dot, build = text.partition(".")
    if not dot or not build.isascii() or not build.isdigit() or build.startswith("0"):
        return None
    if not _IDENTIFIER.fullmatch(game_id):
        return None
    return BuildKey(game_id, int(build))
