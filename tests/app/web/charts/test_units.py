"""One unit for all numbers of a chart, and round numbers on its scale."""

from __future__ import annotations

import pytest

from app.web.charts.units import Unit, byte_unit, round_top, time_unit

GIB = Unit("GiB", 2**30)


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0, "0"), (1, "< 0.1"), (2**30 // 25, "< 0.1"), (2**30 // 16, "0.1"), (12 * 2**30 + 2**29, "12.5")],
)
def test_numbers_have_one_decimal(amount: int, words: str) -> None:
    assert GIB.number(amount) == words


def test_large_numbers_and_bytes_have_none() -> None:
    assert GIB.number(99.94 * 2**30) == "99.9"
    assert GIB.number(99.96 * 2**30) == "100"
    assert GIB.number(1204 * 2**30) == "1,204"
    assert Unit("B", 1).number(7) == "7"


def test_the_largest_amount_chooses_the_unit() -> None:
    assert byte_unit([0, 999, 2**30 - 1]).name == "MiB"
    assert byte_unit([2**30]).name == "GiB"
    assert byte_unit([]).name == "B"
    assert [time_unit([seconds]).name for seconds in (59.9, 60, 3600, 86_400)] == ["s", "min", "h", "days"]


@pytest.mark.parametrize(
    ("largest", "top"),
    [(1, 1), (1.1, 2), (2.1, 3), (41, 50), (213, 300), (401, 500), (610, 800), (999, 1000), (1000, 1000)],
)
def test_scales_end_at_a_round_number_in_their_unit(largest: float, top: float) -> None:
    assert round_top(largest * 2**30, GIB) == pytest.approx(top * 2**30)
