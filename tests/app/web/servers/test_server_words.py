"""Which servers a page shows, and how many a sentence names."""

from __future__ import annotations

import pytest

from app.fleet.active_servers import places_on_page
from app.web.frame.formats import MAX_NAMES, some_names


@pytest.mark.parametrize(
    ("page", "total", "places"),
    [(1, 0, (0, 0)), (1, 50, (0, 50)), (2, 51, (50, 51)), (3, 120, (100, 120)), (99, 120, (100, 120)), (0, 7, (0, 7))],
)
def test_a_page_beyond_the_last_one_is_the_last(page: int, total: int, places: tuple[int, int]) -> None:
    assert places_on_page(page, total) == slice(*places)
    assert places_on_page(None, total) == slice(0, total)


def test_names_are_shortened_only_when_there_are_many() -> None:
    names = [f"srv-{number:02}" for number in range(1, 11)]
    assert some_names(names[:2], 2) == "srv-01, srv-02"
    assert some_names(names[:MAX_NAMES], MAX_NAMES) == ", ".join(names[:MAX_NAMES])
    assert some_names(names, 500) == f"{', '.join(names[:MAX_NAMES])} and 492 more"
