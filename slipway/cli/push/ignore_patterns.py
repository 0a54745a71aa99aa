"""Which paths of a folder stay out of its archive: `.slipwayignore`, `--ignore`, and a default list.

The patterns are those of .gitignore. The last one that matches a path decides. What is below an ignored folder cannot
be included again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode

IGNORE_FILE = ".slipwayignore"
# Version control, and what macOS and Windows leave in folders. `._*` are the metadata files of macOS.
DEFAULT_PATTERNS = (".git", ".DS_Store", "Thumbs.db", "__MACOSX", "._*", f"/{IGNORE_FILE}")
_MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class _Pattern:
    expression: re.Pattern[str]
    folders_only: bool
    includes: bool


class IgnorePatterns:
    """Patterns in the order of their weight: later ones decide."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [_parse(text) for text in patterns]

    def excludes(self, path: str, *, is_folder: bool) -> bool:
        """Whether `path`, relative to the folder and with `/` between its names, stays out."""
        for pattern in reversed(self._patterns):
            if (is_folder or not pattern.folders_only) and pattern.expression.fullmatch(path):
                return not pattern.includes
        return False


def read_patterns(folder: Path, options: Sequence[str]) -> IgnorePatterns:
    """The default patterns, then those of the folder's .slipwayignore, then `options`. Raises CommandError."""
    file = folder / IGNORE_FILE
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_FILE_BYTES + 1)
        lines = content.decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        lines, content = [], b""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandError(f"{file} cannot be read: {why}. Change it, then push again.", ExitCode.USAGE) from error
    if len(content) > _MAX_FILE_BYTES:
        raise CommandError(f"{file} is larger than 1 MiB. Use fewer patterns.", ExitCode.USAGE)
    stated = [line for line in lines if line.strip() and not line.startswith("#")]
    try:
        return IgnorePatterns([*DEFAULT_PATTERNS, *stated, *options])
    except ValueError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error


def _parse(text: str) -> _Pattern:
    pattern = _without_trailing_spaces(text)
    includes = pattern.startswith("!")
    pattern = pattern[1:] if includes else pattern
    folders_only = pattern.endswith("/")
    pattern = pattern.rstrip("/")
    if not pattern.strip("/"):
        raise ValueError(f"{text!r} is not a pattern. Write one like *.psd, /docs or cache/.")
    anchored = "/" in pattern
    expression = _expression(pattern.removeprefix("/"))
    try:
        compiled = re.compile(expression if anchored else f"(?:.*/)?{expression}", re.DOTALL)
    except re.error as error:
        raise ValueError(f"{text!r} is not a pattern: {error}.") from error
    return _Pattern(compiled, folders_only, includes)


def _without_trailing_spaces(text: str) -> str:
    """Trailing spaces do not count, unless a backslash precedes them."""
    stripped = text.rstrip(" \t\r\n")
    return f"{stripped} " if stripped.endswith("\\") and text[len(stripped) :].startswith(" ") else stripped


def _expression(pattern: str) -> str:
    """The regular expression of a glob: `*` and `?` stay within a name, `**` crosses them."""
    names = pattern.split("/")
    inside = names[-1] == "**"  # what is inside a folder, not the folder itself
    blocks: list[list[str]] = [[]]  # the names between one `**` and the next
    for name in names[:-1] if inside else names:
        if name == "**":
            blocks.append([])
        else:
            blocks[-1].append(_name_expression(name))
    first, *others = ["".join(f"{name}/" for name in block) for block in blocks]
    if inside:
        return f"{first}{_searched(others)}.+"
    # The last block ends with the path: it stands at any depth, and nothing follows it.
    if not others:
        return first[:-1]
    return f"{first}{_searched(others[:-1])}(?:.*/)?{others[-1][:-1]}"


def _searched(blocks: Iterable[str]) -> str:
    """Each block at the first depth that fits. A later depth leaves less for the rest, so it is never tried: otherwise
    a path that does not match could take hours."""
    return "".join(f"(?>(?:[^/]+/)*?{block})" for block in blocks if block)


def _name_expression(name: str) -> str:
    """The expression of one name. What stands between two `*` is searched for like the blocks between two `**`."""
    first, *others = _between_stars(name)
    if not others:
        return first
    return f"{first}{''.join(f'(?>[^/]*?{part})' for part in others[:-1] if part)}[^/]*{others[-1]}"


def _between_stars(name: str) -> list[str]:
    parts, at = [""], 0
    while at < len(name):
        character = name[at]
        if character == "*":
            parts.append("")
            at += 1
        elif character == "?":
            parts[-1], at = f"{parts[-1]}[^/]", at + 1
        elif character == "[" and (end := _class_end(name, at)):
            parts[-1], at = parts[-1] + _class(name[at + 1 : end]), end + 1
        elif character == "\\" and at + 1 < len(name):
            parts[-1], at = parts[-1] + re.escape(name[at + 1]), at + 2
        else:
            parts[-1], at = parts[-1] + re.escape(character), at + 1
    return parts


def _class_end(pattern: str, at: int) -> int:
    """The index of the `]` that ends the character class at `at`, or 0. A `]` at its start is one of its characters."""
    start = at + 2 if pattern[at + 1 : at + 2] in {"!", "^"} else at + 1
    return max(0, pattern.find("]", start + 1))


def _class(content: str) -> str:
    negated = content[:1] in {"!", "^"}
    content = content[1:] if negated else content
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", content)
    return f"(?!/)[{'^' if negated else ''}{escaped}]"
