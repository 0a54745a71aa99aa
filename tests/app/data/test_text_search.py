"""Comparing what people type with what people named."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from app.data import text_search
from app.data.text_search import contains, fold, match_rank, search_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Paper Lanterns", ["paper", "lanterns"]),
        ("paper-lanterns_12", ["paper", "lanterns", "12"]),
        ("  École d’été ", ["ecole", "d", "ete"]),
        ("紙の灯籠", ["紙の灯籠"]),
        ("—!", []),
        ("", []),
    ],
)
def test_words_are_what_stands_between_signs_and_spaces(text: str, words: list[str]) -> None:
    assert search_words(text) == words


@pytest.mark.parametrize(
    ("wanted", "rank"),
    [
        ("paper lanterns", 0),
        ("Paper-Lan", 1),
        ("lant pap", 2),
        ("apers", None),
        ("aper ter", 3),
        ("paper moth", None),
        ("", 1),
    ],
)
def test_a_text_ranks_by_how_well_each_word_matches(wanted: str, rank: int | None) -> None:
    assert match_rank(search_words(wanted), search_words("Paper Lanterns")) == rank


def test_no_accent_and_no_character_that_shows_nothing_stays() -> None:
    folded = fold("".join(map(chr, range(sys.maxunicode + 1))))
    assert not {"Mn", "Cf"} & set(map(unicodedata.category, folded))


def test_a_search_folds_what_is_wanted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some letters fold to 18 others: a search of 10,000 audit entries for 256 of them took 7 seconds."""
    wanted, folded = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 256, list[str]()

    def counted(text: str) -> str:
        folded.append(text)
        return fold(text)

    monkeypatch.setattr(text_search, "fold", counted)
    assert not any(contains(wanted, (f"entry {number}",)) for number in range(100))
    assert folded.count(wanted) == 1
