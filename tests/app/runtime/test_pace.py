"""How slowly bytes may come: nothing for the whole time, too few of them, and what is fast enough."""

from __future__ import annotations

import pytest

from app.runtime.web_server.transfer_pace import Pace, TooSlow


def test_silence_is_too_slow() -> None:
    pace = Pace(60, 1000)
    pace.count(0, 59.9)
    with pytest.raises(TooSlow, match="nothing came for 60 seconds"):
        pace.count(0, 0.1)


def test_a_byte_now_and_then_is_too_slow() -> None:
    pace = Pace(60, 1000)
    for _ in range(5):
        pace.count(1, 10)
    with pytest.raises(TooSlow, match="only 6 bytes came in 60 seconds"):
        pace.count(1, 10)


def test_a_steady_stream_at_the_least_rate_may_take_as_long_as_it_needs() -> None:
    pace = Pace(60, 1000)
    for _ in range(10_000):
        pace.count(1000, 1)


def test_being_fast_at_first_is_no_credit_for_later() -> None:
    pace = Pace(60, 1000)
    pace.count(10**9, 1)
    pace.count(1, 59)
    pace.count(59, 59)
    with pytest.raises(TooSlow):
        pace.count(1, 1)


def test_time_that_is_not_waited_does_not_count() -> None:
    """While we are busy with what came, the client cannot send."""
    pace = Pace(60, 1000)
    for _ in range(10_000):
        pace.count(1, 0)
    assert pace.left == 60


def test_who_was_too_slow_once_stays_it() -> None:
    pace = Pace(1, 1000)
    for _ in range(2):
        with pytest.raises(TooSlow, match="nothing came for 1 second"):
            pace.count(0, 1)
