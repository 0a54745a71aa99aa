"""Comparing what people type with what people named."""

from __future__ import annotations

import pytest

from app.data.text_search import match_rank, search_words


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
