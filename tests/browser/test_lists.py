"""A list in a real browser: searched while typing, sorted by its heads, and live. Its address shows the same list after
a reload, with the Back button, and as a link."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from app.limits import thread_budgets
from tests.app.runtime.processes import wait_until
from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.app.web.scenes import Sent
from tests.browser.conftest import wait_for
from tests.conftest import PASSWORD, Cast

pytestmark = [pytest.mark.browser, ONE_DATABASE]

PAGE = "/games/garden-of-forking-paths/builds"


@pytest.fixture
def garden(cast: Cast, six_servers: list[str]) -> str:
    game_id = scenes.forking_paths(cast.starlight.partner_id)
    scenes.servers_report(silent=["srv-06"])
    return game_id


def enter(page: Page, email: str) -> None:
    page.goto(f"/sign-in?next={PAGE}")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{PAGE}")


def numbers(page: Page) -> list[int]:
    rows = page.locator("#builds-table tbody tr")
    return [int(row.removeprefix("b")) for row in rows.evaluate_all("rows => rows.map(row => row.id)")]


def shows(page: Page, *expected: int) -> None:
    wait_for(page, lambda: numbers(page) == list(expected))


def test_a_list_is_its_address(page: Page, cast: Cast, garden: str, complaints: list[str]) -> None:
    enter(page, cast.starlight.owner)
    shows(page, 5, 4, 3, 2, 1)

    # The list is loaded alone: the page stays as it is.
    page.evaluate("document.body.dataset.same = 'yes'")
    search = page.get_by_role("searchbox")
    search.press_sequentially("CI", delay=20)
    wait_for(page, lambda: "q=CI" in page.url)
    shows(page, 5, 3, 1)
    expect(search).to_be_focused()
    expect(page.locator("#builds-segments")).to_contain_text("All 3")

    head = page.get_by_role("link", name="Build", exact=True)
    head.click()
    shows(page, 1, 3, 5)
    expect(page.get_by_role("columnheader", name="Build", exact=True)).to_have_attribute("aria-sort", "ascending")
    expect(head).to_be_focused()
    expect(page.locator("body")).to_have_attribute("data-same", "yes")
    assert "q=CI" in page.url
    assert "sort=number" in page.url

    # A search after sorting keeps the order, and what streams in is that of the address.
    search.fill("pp_8")
    expect(page.locator(".active-filters")).to_contain_text("“pp_8”")
    shows(page, 1, 3, 5)
    expect(page.locator("#freshness")).to_have_attribute("data-state", "live")
    wait_until(lambda: thread_budgets.streams.in_use == 1, 20, "only the stream of this list is open")
    scenes.send(garden, Sent(sent_by="Jonas Lindqvist", released=None))
    scenes.send(garden, Sent(released=None))
    page.mouse.move(0, 0)
    search.focus()
    wait_for(page, lambda: sorted(numbers(page)) == [1, 3, 5, 7])

    address = page.url
    page.reload()
    shows(page, 1, 3, 5, 7)
    page.get_by_role("link", name=re.compile("^Not released yet")).click()
    shows(page, 5, 7)
    page.go_back()
    shows(page, 1, 3, 5, 7)
    assert page.url == address

    search.fill("sorcery")
    expect(page.get_by_text("No builds match “sorcery”.")).to_be_visible()
    page.get_by_role("link", name="Clear the filter").click()
    shows(page, 7, 6, 5, 4, 3, 2, 1)
    assert complaints == []
