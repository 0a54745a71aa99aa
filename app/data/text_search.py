"""Search in text that people wrote: without regard to case, accents and the Unicode form of a letter.

Python compares, because the databases differ: SQLite folds only ASCII letters, and neither folds accents without an
extension.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_LEFT_OUT = {"Mn", "Cf"}  # accents, and characters that show nothing


def fold(text: str) -> str:
    """The form of a text for comparisons: "École", "ecole" and "É" written as two characters are alike."""
    if text.isascii():
        return text.lower()  # the same, and many times as fast for the paths of a large build
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(character for character in plain if unicodedata.category(character) not in _LEFT_OUT)


def contains(wanted: str, texts: Iterable[str]) -> bool:
    """Whether one of the texts contains `wanted`. Nothing contains a text without letters, digits or signs."""
    part = fold(wanted)
    return bool(part) and any(part in fold(text) for text in texts)
