"""One unit for all numbers of a chart, and round numbers on its scale."""

from __future__ import annotations

import pytest

from app.web.charts.units import Unit, byte_unit, round_top, time_unit

GB = Unit("GB", 10**9)


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0, "0"), (1, "< 0.1"), (40_000_000, "< 0.1"), (50_000_000, "0.1"), (12_440_000_000, "12.4")],
)
def test_numbers_have_one_decimal(amount: int, words: str) -> None:
    assert GB.number(amount) == words


def test_large_numbers_and_bytes_have_none() -> None:
    assert GB.number(99_949_000_000) == "99.9"
    assert GB.number(99_960_000_000) == "100"
    assert GB.number(1_204_000_000_000) == "1,204"
    assert Unit("B", 1).number(7) == "7"


def test_the_largest_amount_chooses_the_unit() -> None:
    assert byte_unit([0, 999, 10**9 - 1]).name == "MB"
    assert byte_unit([10**9]).name == "GB"
    assert byte_unit([]).name == "B"
    assert [time_unit([seconds]).name for seconds in (59.9, 60, 3600, 86_400)] == ["s", "min", "h", "days"]


@pytest.mark.parametrize(
    ("largest", "top"),
    [(1, 1), (1.1, 2), (2.1, 3), (41, 50), (213, 300), (401, 500), (610, 800), (999, 1000), (1000, 1000)],
)
def test_scales_end_at_a_round_number_in_their_unit(largest: float, top: float) -> None:
    assert round_top(largest * 10**9, GB) == pytest.approx(top * 10**9)
