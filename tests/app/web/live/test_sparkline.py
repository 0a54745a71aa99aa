"""The line of the last hour."""

from __future__ import annotations

import re

from app.web.live.sparkline import BOTTOM, HEIGHT, TOP, sparkline


def points(path: str) -> list[tuple[int, int]]:
    """The corners of a path, level runs drawn out minute by minute."""
    start = re.match(r"M(\d+) (\d+)", path)
    assert start, path
    x, y = int(start[1]), int(start[2])
    found = [(x, y)]
    for level, _, across, down in re.findall(r"h(\d+)|(l)(\d+) (-?\d+)", path[start.end() :]):
        if level:
            for _ in range(int(level) // 2):
                x += 2
                found.append((x, y))
        else:
            x, y = x + int(across), y + int(down)
            found.append((x, y))
    return found


def test_an_hour_is_drawn_from_left_to_right() -> None:
    found = points(sparkline([0] * 59 + [7]).line)
    assert [x for x, _ in found] == list(range(0, 120, 2))
    assert found[0] == (0, BOTTOM)
    assert found[-1] == (118, TOP)


def test_the_highest_minute_touches_the_top_whatever_its_size() -> None:
    small, large = sparkline([1, 2, 4]), sparkline([10**9, 2 * 10**9, 4 * 10**9])
    assert small == large
    assert min(y for _, y in points(small.line)) == TOP


def test_an_hour_without_bytes_is_a_level_line_at_the_bottom() -> None:
    assert sparkline([0] * 60).line == f"M0 {BOTTOM}h118"


def test_the_area_below_the_line_is_closed_and_the_last_minute_marked() -> None:
    found = sparkline([3, 1, 2])
    assert found.area == f"{found.line}V{HEIGHT}H0Z"
    assert found.dot == f"M4 {points(found.line)[-1][1]}h0"


def test_a_line_stops_and_goes_on_dotted_when_contact_is_lost() -> None:
    found = sparkline([5] * 60, silent=20)
    assert points(found.line)[-1][0] == 78
    assert found.dots == f"M78 {BOTTOM}H118"
    assert (found.area, found.dot, found.lost) == ("", "", True)


def test_after_an_hour_of_silence_only_dots_are_left() -> None:
    found = sparkline([0] * 60, silent=60)
    assert (found.line, found.dots) == ("", f"M0 {BOTTOM}H118")
    assert sparkline([0] * 60, silent=600) == found


def test_contact_that_was_lost_just_now_leaves_no_dots() -> None:
    assert sparkline([5] * 60, silent=0).dots == ""
