"""Text from elsewhere as one printable line of bounded length, for logs, terminals and reports."""

from __future__ import annotations

MAX_LINE = 400


def one_line(text: str, longest: int = MAX_LINE) -> str:
    """It may quote names from an archive or an answer: what a terminal would obey becomes a space."""
    line = "".join(character if character.isprintable() else " " for character in text[: longest + 1])
    return line if len(line) <= longest else line[: longest - 1] + "…"
