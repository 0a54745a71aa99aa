"""Makes untrusted text (file names, notes, responses) safe for a terminal, a log or a report."""

from __future__ import annotations

MAX_LINE_LENGTH = 400


def printable(text: str) -> str:
    """The text with each control character replaced by U+FFFD."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def one_line(text: str, max_length: int = MAX_LINE_LENGTH) -> str:
    """The text as one line of at most `max_length` characters; characters that do not print become spaces."""
    line = "".join(character if character.isprintable() else " " for character in text[: max_length + 1])
    return line if len(line) <= max_length else line[: max_length - 1] + "…"
