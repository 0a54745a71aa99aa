"""Search in text that people wrote: without regard to case, accents and the Unicode form of a letter.

Python compares, because the databases differ: SQLite folds only ASCII letters, and neither folds accents without an
extension.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_SEPARATORS = re.compile(r"[\W_]+")
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


def search_words(text: str) -> list[str]:
    """The words of a text for `match_rank`, folded: "Paper-Lanterns 12" has three."""
    return _SEPARATORS.sub(" ", fold(text)).split()


def match_rank(wanted: Sequence[str], words: Sequence[str]) -> int | None:
    """How well a text with these words matches the wanted ones: 0 if it is them, 1 if it begins with them, 2 if each is
    the beginning of a word, 3 if each is a part of a word, and None if one is in no word. No words match any text."""
    if any(not any(part in word for word in words) for part in wanted):
        return None
    text, begins = " ".join(words), " ".join(wanted)
    if text == begins:
        return 0
    if text.startswith(begins):
        return 1
    return 2 if all(any(word.startswith(part) for word in words) for part in wanted) else 3


def best_rank(wanted: Sequence[str], texts: Iterable[Sequence[str]]) -> int | None:
    """The lowest rank of several texts; None if none matches."""
    return min((rank for words in texts if (rank := match_rank(wanted, words)) is not None), default=None)
