"""Search in text that people wrote: without regard to case, accents and the Unicode form of a letter.

Python compares, because the databases differ: SQLite folds only ASCII letters, and neither folds accents without an
extension.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

_SEPARATORS = re.compile(r"[\W_]+")
# Accents, and characters that show nothing, in the planes of Unicode that have some.
_LEFT_OUT = frozenset(
    character
    for character in map(chr, chain(range(0x20000), range(0xE0000, 0xE1000)))
    if unicodedata.category(character) in {"Mn", "Cf"}
)


def fold(text: str) -> str:
    """The form of a text for comparisons: "École", "ecole" and "É" written as two characters are alike."""
    if text.isascii():
        return text.lower()  # the same, and many times as fast for the paths of a large build
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    # One pass finds the few that occur. To look at each character in Python takes ten times as long, and a search of
    # the audit log folds 10,000 entries.
    for character in _LEFT_OUT.intersection(plain):
        plain = plain.replace(character, "")
    return plain


def contains(wanted: str, texts: Iterable[str]) -> bool:
    """Whether one of the texts contains `wanted`. Nothing contains a text without letters, digits or signs."""
    part = _wanted_part(wanted)
    return bool(part) and any(part in fold(text) for text in texts)


@lru_cache(maxsize=32)
def _wanted_part(wanted: str) -> str:
    """One search compares the same text with thousands. A letter may become 18: folded each time, a search of 10,000
    entries for 256 of them took 7 s."""
    return fold(wanted)


def search_words(text: str) -> list[str]:
    """The words of a text for `match_rank`, folded: "Paper-Lanterns 12" has three."""
    return _SEPARATORS.sub(" ", fold(text)).split()


def match_rank(wanted: Sequence[str], words: Sequence[str]) -> int | None:
    """How well a text with these words matches the wanted ones: 0 if it is them, 1 if it begins with them, 2 if each is
    the beginning of a word, 3 if each is a part of a word, and None if one is in no word. No words match any text."""
    # Words have no spaces, so a part that is in the text is in one of its words.
    text, begins = f" {' '.join(words)}", f" {' '.join(wanted)}"
    if any(part not in text for part in wanted):
        return None
    if text == begins:
        return 0
    if text.startswith(begins):
        return 1
    return 2 if all(f" {part}" in text for part in wanted) else 3


def best_rank(wanted: Sequence[str], texts: Iterable[Sequence[str]]) -> int | None:
    """The lowest rank of several texts; None if none matches."""
    return min((rank for words in texts if (rank := match_rank(wanted, words)) is not None), default=None)
