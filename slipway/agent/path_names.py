"""Names that come from the platform and become paths: checked here once, before anything touches the disk."""

from __future__ import annotations

import re
import reprlib
from typing import NamedTuple

from slipway.agent.response_fields import parse_integer

# No dot: `.slipway` can never be a game, and `<gameId>.<build>` reads back without doubt.
# 64 characters, as the platform takes them in reports: a longer id would make it refuse every report that names it.
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
MAX_BUILD = 2**31 - 1  # as in reports
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can hold half a character, UTF-8 cannot


class BuildKey(NamedTuple):
    """One build of one game, the unit that is fetched, held and evicted."""

    game_id: str
    build: int

    def __str__(self) -> str:
        return f"{self.game_id}.{self.build}"


def parse_identifier(value: object, what: str) -> str:
    """`value` if it may be a directory name or an id in an address. Raises ValueError."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise ValueError(f"{what} {reprlib.repr(value)} is not an id of at most 64 letters, digits, '-' and '_'")
    return value


def parse_build_number(value: object) -> int:
    """`value` if it is a build number, from 1 to MAX_BUILD. Raises ValueError."""
    return parse_integer(value, "build", MAX_BUILD, 1)


def parse_path_segment(value: object, what: str) -> str:
    """`value` if it is one harmless path segment (a top directory, a launcher). Raises ValueError."""
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
    """The key whose `str()` is `text`, or None: file names in `.slipway` read back."""
    game_id, dot, build = text.partition(".")
    if not dot or not build.isascii() or not build.isdigit() or build.startswith("0"):
        return None
    if not _IDENTIFIER.fullmatch(game_id):
        return None
    return BuildKey(game_id, int(build))
