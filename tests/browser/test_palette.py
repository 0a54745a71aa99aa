"""The command palette in a real browser: by keyboard alone, without losing what is typed elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.app.web.scenes import Sent
from tests.browser.test_axe import findings
from tests.conftest import Cast

pytestmark = [pytest.mark.browser, ONE_DATABASE]

SignIn = Callable[[str], Page]


@pytest.fixture
def catalog(cast: Cast) -> None:
    partner_id = cast.starlight.partner_id
    scenes.add_game(partner_id, "Moth Season", "moth-season", age=timedelta(days=1))
    scenes.add_game(partner_id, "Paper Lanterns", "paper-lanterns", [Sent() for _ in range(12)])


def chosen(page: Page) -> str:
    """The name of the option that Enter would open, as screen readers find it."""
    option_id = page.locator("#palette-text").get_attribute("aria-activedescendant")
    assert option_id
    option = page.locator(f"#{option_id}")
    assert option.get_attribute("aria-selected") == "true"
    expect(page.locator("#palette [aria-selected=true]")).to_have_count(1)
    return option.locator("span").first.inner_text()


def test_the_keyboard_finds_and_opens(sign_in: SignIn, cast: Cast, catalog: None, complaints: list[str]) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto("/games/moth-season/details")
    title = page.get_by_label("Title")
    title.fill("Moth Seasons")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search games, pages and actions")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-expanded", "true")
    assert chosen(page) == "Paper Lanterns"  # the game that changed last
    assert findings(page) == []
    # Arrows, Home and End go through the options, and around.
    for key, name in [("ArrowDown", "Moth Season"), ("ArrowUp", "Paper Lanterns"), ("End", "Change your password")]:
        page.keyboard.press(key)
        assert chosen(page) == name
    page.keyboard.press("ArrowDown")
    assert chosen(page) == "Paper Lanterns"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    assert chosen(page) == "Paper Lanterns"
    # Screen readers are told how much was found. Escape goes back to the field, with what was typed there.
    field.press_sequentially("zzz")
    expect(page.locator("#palette [role=status]")).to_contain_text("Nothing matches “zzz”")
    expect(field).to_have_attribute("aria-expanded", "false")
    assert findings(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    expect(title).to_be_focused()
    expect(title).to_have_value("Moth Seasons")
    # Opening another page would lose it: that is asked first.
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.once("dialog", stay)
    page.keyboard.press("Control+k")
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Enter")
    assert len(asked) == 1
    expect(title).to_have_value("Moth Seasons")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_hidden()
    title.fill("Moth Season")
    # Enter before the results are there opens the first of them.
    waiting: list[Route] = []
    page.route("**/search/results?q=paper*", lambda route: waiting.append(route))
    page.keyboard.press("Control+k")
    expect(field).to_have_attribute("aria-expanded", "true")
    with page.expect_request("**/search/results?q=paper*12"):
        page.keyboard.type("paper-lanterns 12")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/moth-season/details$"))
    waiting[-1].continue_()
    page.wait_for_url("**/games/paper-lanterns/builds/12")
    expect(page.get_by_role("heading", name="Build 12")).to_be_visible()
    expect(page.locator("#palette")).to_be_hidden()
    assert complaints == []


def test_the_button_opens_it_and_a_lost_server_is_reported(sign_in: SignIn, cast: Cast, catalog: None) -> None:
    page = sign_in(cast.starlight.owner)
    page.set_viewport_size({"width": 360, "height": 700})
    button = page.get_by_role("link", name="Search")
    button.click()
    expect(page.get_by_role("option", name="Paper Lanterns")).to_be_visible()
    page.route("**/search/results*", lambda route: route.abort())
    page.locator("#palette-text").fill("moth")
    expect(page.locator("#palette-results")).to_have_text(
        "The server does not answer. Change the text to search again."
    )
    page.unroute("**/search/results*")
    page.locator("#palette-text").fill("moth s")
    page.get_by_role("option", name="Moth Season moth-season").click()
    page.wait_for_url("**/games/moth-season")
    button.click()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#palette")).to_be_hidden()
    expect(button).to_be_focused()
