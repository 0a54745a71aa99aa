"""The copy for what transfers cost."""

from __future__ import annotations

import pytest

from app.web.builds.transfer_words import cached_words, kept_words, sent_words, source_words
from app.web.frame.formats import NO_BREAK_SPACE


@pytest.mark.parametrize(
    ("source", "build", "fallback", "words"),
    [
        ("update", 13, None, "Update from build 13"),
        ("pack", None, None, "The pack"),
        ("archive", None, None, "The archive"),
        ("archive", None, "The pack failed its check", "The archive, because the pack failed its check"),
        (None, None, None, ""),
    ],
)
def test_how_the_bytes_of_a_copy_came(source: str | None, build: int | None, fallback: str | None, words: str) -> None:
    assert source_words(source, build, fallback) == words


def test_what_servers_fetch_of_a_build_that_most_still_have() -> None:
    words = [kept_words(cached_on, 6).replace(NO_BREAK_SPACE, " ") for cached_on in (5, 6)]
    assert words == ["0 B on 5 of 6", "0 B"]


def test_on_how_many_servers_a_build_is_cached() -> None:
    assert (cached_words(5, 6), cached_words(0, 6)) == ("5 of 6", "")


def test_bytes_sent_and_saved() -> None:
    assert sent_words(54_000, 112_000_000).replace(NO_BREAK_SPACE, " ") == "53 KiB; 107 MiB saved by updates"
    assert sent_words(54_000, 0).replace(NO_BREAK_SPACE, " ") == "53 KiB"
