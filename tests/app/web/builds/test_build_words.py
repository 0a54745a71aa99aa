"""The copy of every state (design: dashboard, section 6)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.fleet.build_states import BuildState
from app.fleet.rollout_states import SEVERITY, Ahead, Cell
from app.web.builds import build_words
from app.web.frame.formats import NO_BREAK_SPACE, plain_text

AT = datetime(2026, 11, 14, 10, 41, tzinfo=UTC)
CELL = Cell("srv-02", "cached", since=AT, bytes_total=7_200_000_000)


def said(cell: Cell) -> tuple[str, str]:
    """(word, fact) with plain spaces."""
    found = build_words.cell_words(cell)
    return found.word.replace(NO_BREAK_SPACE, " "), plain_text(found.fact).replace(NO_BREAK_SPACE, " ")


def test_cached_says_since_when_or_how_many_play() -> None:
    assert said(CELL) == ("Cached", "since 14 Nov, 10:41 UTC")
    assert said(replace(CELL, sessions=11)) == ("Cached", "11 sessions")
    assert said(replace(CELL, sessions=1)) == ("Cached", "1 session")


def test_downloading_says_percent_rate_and_time_left() -> None:
    cell = replace(CELL, state="downloading", bytes_done=4_464_000_000, bytes_per_second=18_400_000)
    assert said(cell) == ("62 %", "17.5 MiB/s · 2 min")
    assert build_words.cell_words(cell).ring == 62


def test_downloading_without_a_byte_a_second_promises_no_time() -> None:
    assert said(replace(CELL, state="downloading", bytes_per_second=0)) == ("0 %", "0 B/s")


def test_an_update_says_how_large_it_is() -> None:
    cell = replace(CELL, state="downloading", bytes_total=54_000, bytes_done=27_000, bytes_per_second=9000)
    assert said(replace(cell, source="update", source_build=13)) == ("50 %", "53 KiB · 9 KiB/s")
    assert said(replace(cell, source="archive")) == ("50 %", "9 KiB/s · 3 s")


def test_queued_says_that_its_update_is_being_prepared() -> None:
    cell = replace(CELL, state="queued", preparing=40)
    assert said(cell) == ("Queued", "preparing update 40 %")
    assert said(replace(cell, paused=True)) == ("Queued", "downloads paused")


def test_a_download_is_not_100_percent_before_its_last_byte() -> None:
    cell = replace(CELL, state="downloading", bytes_done=7_199_999_999, bytes_per_second=1)
    assert said(cell)[0] == "99 %"


def test_verifying_says_how_far_it_is() -> None:
    cell = replace(CELL, state="verifying", bytes_done=6_336_000_000, bytes_per_second=412_000_000)
    assert said(cell) == ("Verifying 88 %", "393 MiB/s")


def test_queued_says_since_when() -> None:
    assert said(replace(CELL, state="queued")) == ("Queued", "since 14 Nov, 10:41 UTC")


@pytest.mark.parametrize(
    ("ahead", "fact"),
    [
        (Ahead(3, None, 1), "next after build 3"),
        (Ahead(2, "Night Ferry", 1), "next after Night Ferry 2"),
        (Ahead(None, None, 1), "next after another game"),
        (Ahead(3, None, 4), "one of 4 after build 3"),
    ],
)
def test_queued_says_what_is_ahead_of_it(ahead: Ahead, fact: str) -> None:
    assert said(replace(CELL, state="queued", ahead=ahead)) == ("Queued", fact)
    assert said(replace(CELL, state="queued", ahead=ahead, paused=True)) == ("Queued", "downloads paused")


def test_queued_on_a_paused_server_says_what_it_waits_for() -> None:
    assert said(replace(CELL, state="queued", paused=True)) == ("Queued", "downloads paused")


def test_a_due_retry_is_never_called_failed() -> None:
    cell = replace(CELL, state="retrying", attempt=2, retry_at=AT, reason="connection reset")
    found = build_words.cell_words(cell)
    assert said(cell) == ("Retrying 2 of 5", "at 10:41:00 UTC ·")
    assert found.action == "Retry", "the time beside it becomes “now”"
    assert "ailed" not in found.word


def test_failed_names_the_reason_in_few_words_and_keeps_the_whole_one() -> None:
    cell = replace(CELL, state="failed", attempt=9, reason="disk full: 7.4 GiB needed, 1.0 GiB free")
    found = build_words.cell_words(cell)
    assert found.word == "Failed: disk full"
    assert found.reason == "disk full: 7.4 GiB needed, 1.0 GiB free"
    assert found.action == "Retry now"


def test_failed_without_a_reason_says_failed() -> None:
    assert said(replace(CELL, state="failed")) == ("Failed", "")


@pytest.mark.parametrize("before", ["downloading", "verifying", "queued", "retrying", None])
def test_a_lost_server_shows_no_percentage(before: BuildState | None) -> None:
    cell = replace(CELL, state="no_contact", before=before, reported_at=AT, bytes_done=4_464_000_000)
    assert said(cell) == ("No contact", "since 14 Nov, 10:41 UTC")


def test_a_lost_server_says_what_it_held() -> None:
    assert (
        said(replace(CELL, state="no_contact", before="cached", reported_at=AT))[1] == "was cached, 14 Nov, 10:41 UTC"
    )


def test_a_server_that_never_reported_is_no_reason_to_worry() -> None:
    cell = Cell("srv-09", "not_started")
    assert said(cell) == ("Not started yet", "never reported")
    assert build_words.cell_words(cell).icon == "queued"


def test_removing_removed_and_not_sent_say_the_amount_or_the_day() -> None:
    assert said(replace(CELL, state="removing")) == ("Removing", "6.7 GiB")
    assert said(replace(CELL, state="removed")) == ("Copy removed", "not kept since 14 Nov 2026")
    assert said(replace(CELL, state="not_sent", since=None, to_fetch=1_400_000)) == ("Not sent", "1.3 MiB to fetch")


def test_every_state_of_the_fleet_has_words_and_an_icon() -> None:
    for state in SEVERITY:
        found = build_words.cell_words(replace(CELL, state=state))
        assert found.word
        assert found.icon
        assert state in build_words.STATES


def test_counts_are_most_severe_first_and_leave_zeros_out() -> None:
    found = build_words.count_labels(Counter(cached=4, failed=1, downloading=1, retrying=0))
    assert [count.text for count in found] == ["1 failed", "1 downloading", "4 cached"]
    assert [count.bad for count in found] == [True, False, False]


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ({"cached": 5, "no_contact": 1}, "Cached on 5 of 6"),
        ({"downloading": 3, "verifying": 1, "cached": 1, "no_contact": 1}, "Arriving on 4 of 6"),
        ({"cached": 4, "retrying": 1, "downloading": 1}, "Retrying on 1 of 6"),
        ({"failed": 1, "retrying": 2, "cached": 3}, "Failed on 1 of 6"),
        ({"no_contact": 6}, "No contact with 6 of 6"),
        ({"queued": 6}, "Waiting on 6 of 6"),
        ({}, "No servers yet"),
    ],
)
def test_a_summary_says_the_worst_that_needs_somebody(states: dict[str, int], text: str) -> None:
    assert build_words.summary_words(Counter(states)).text == text


def test_only_what_every_server_has_gets_the_sign_of_what_is_done() -> None:
    assert build_words.summary_words(Counter(cached=3)).icon == "cached"
    assert build_words.summary_words(Counter(cached=2, queued=1)).icon == "queued"


def test_a_summary_names_the_server_and_the_reason_where_there_is_room() -> None:
    found = build_words.summary_words(Counter(failed=1, cached=5), ("srv-04", "disk full: 1.0 GiB free"))
    assert found.text == "Failed on 1 of 6: srv-04, disk full"


def test_a_game_without_a_build_says_so() -> None:
    assert build_words.summary_words(Counter(), released=False).text == "No build yet"


@pytest.mark.parametrize(
    ("states", "title"),
    [
        ({"failed": 1, "no_contact": 2}, "(1 failed) Low Tide · Slipway"),
        ({"no_contact": 2, "cached": 1}, "(2 no contact) Low Tide · Slipway"),
        ({"downloading": 3}, "(3 downloading) Low Tide · Slipway"),
        ({"cached": 3}, "Low Tide · Slipway"),
        ({}, "Low Tide · Slipway"),
    ],
)
def test_a_tabs_title_begins_with_the_worst_state(states: dict[str, int], title: str) -> None:
    assert build_words.tab_title("Low Tide", Counter(states)) == title


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Mira Okafor", "MO"), ("Leïla", "LE"), ("a.b@c.example", "AC"), ("Ana de la Cruz", "AC"), ("", "?")],
)
def test_initials(name: str, letters: str) -> None:
    assert build_words.initials(name) == letters
