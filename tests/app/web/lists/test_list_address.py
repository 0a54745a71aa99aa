"""The part of an address that chooses what a list shows."""

from __future__ import annotations

import pytest
from flask import Flask

from app.data.cursors import text_cursor
from app.refusals import InvalidRequest
from app.web.lists.list_address import ListAddress, order_words, quoted, requested_list
from app.web.lists.numbered_pages import NumberedPage, numbered_page

SORTS = {"-number": "Newest first", "number": "Oldest first", "size": "Smallest first", "-size": "Largest first"}
STATUSES = {"": "All", "live": "Live"}
PLACE = ListAddress("/list").with_values(q="tide & sea", status="live", sort="size", page=3)


def requested(query: str) -> ListAddress:
    app = Flask("test")
    with app.test_request_context(f"/list?{query}"):
        return requested_list("/list", "tag", "page", "after", orders=SORTS, status=STATUSES)


def test_the_address_of_a_request_is_written_again_as_it_was() -> None:
    address = requested("q=tide+%26+sea&status=live&tag=Mystery&sort=-size&page=2&after=abc")
    again = requested(address.query.removeprefix("?"))
    assert again == address
    assert address.page == 2
    assert [address.value(name) for name in ("q", "status", "tag", "sort", "after", "other")] == [
        "tide & sea", "live", "Mystery", "-size", "abc", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "query", ["", "q=++&status=&sort=", "status=sorcery", "sort=sorcery", "sort=-number", "page=0", "page=1", "x=y"]
)
def test_what_a_list_does_not_know_and_its_defaults_are_left_out(query: str) -> None:
    assert requested(query) == ListAddress("/list")
    assert requested(query).url() == "/list"


def test_long_values_are_cut_and_impossible_pages_refused() -> None:
    assert len(requested(f"q={'x' * 300}").value("q")) == 256
    with pytest.raises(InvalidRequest):
        requested("page=-1")


def test_another_filter_or_order_begins_at_the_first_page() -> None:
    assert PLACE.url("top") == "/list?page=3&q=tide+%26+sea&sort=size&status=live#top"
    assert PLACE.first_page(status=None).url() == "/list?q=tide+%26+sea&sort=size"
    assert PLACE.with_values(after="x").first_page(q="").query == "?sort=size&status=live"
    assert PLACE.numbered_page(1).query == "?q=tide+%26+sea&sort=size&status=live"


def test_the_longest_cursor_fits() -> None:
    """It was cut: the second page of games by title was refused when the first ended with a long title in Chinese."""
    cursor = text_cursor("\N{TIGER FACE}" * 256, "g" * 40)
    assert requested(f"sort=size&after={cursor}").value("after") == cursor


def test_a_head_offers_its_first_order_then_the_opposite() -> None:
    plain = ListAddress("/list").heads(SORTS)
    assert (plain["number"].direction, plain["number"].url) == ("descending", "/list?sort=number")
    assert (plain["size"].direction, plain["size"].url, plain["size"].words) == (
        "", "/list?sort=size", "Smallest first",
    )  # fmt: skip
    sorted_by_size = PLACE.heads(SORTS)
    assert sorted_by_size["size"].direction == "ascending"
    assert sorted_by_size["size"].url == "/list?q=tide+%26+sea&sort=-size&status=live"
    assert sorted_by_size["number"].url == "/list?q=tide+%26+sea&status=live", "the default order is left out"


def test_each_filter_has_a_link_without_it() -> None:
    active = PLACE.active_filters(q=quoted(PLACE.value("q")), status="Live", tag="")
    assert [(each.words, each.url) for each in active] == [
        ("“tide & sea”", "/list?sort=size&status=live"),
        ("Live", "/list?q=tide+%26+sea&sort=size"),
    ]


def test_links_of_a_filter_name_the_current_one() -> None:
    links = PLACE.links("status", STATUSES, {"": 7, "live": 3})
    assert [(link.label, link.count, link.current) for link in links] == [("All", 7, False), ("Live", 3, True)]
    assert [link.count for link in PLACE.links("status", STATUSES)] == [None, None]


def test_pages() -> None:
    assert ListAddress("/list").page_links(None) == ("", "")
    second = ListAddress("/list").with_values(sort="size", after="b")
    assert second.page_links("c") == ("/list?sort=size", "/list?after=c&sort=size")
    assert numbered_page("servers", 50, 50, "worst first", PLACE) == NumberedPage()
    found = numbered_page("servers", 120, 50, order_words("", {"-state": "Worst first"}), PLACE, "fleet")
    assert found.note == "Servers 101 to 120 of 120, worst first"
    assert (found.previous, found.following) == ("/list?page=2&q=tide+%26+sea&sort=size&status=live#fleet", "")
