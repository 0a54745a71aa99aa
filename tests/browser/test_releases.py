"""Releasing and rolling back by the dialog, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.effort import Effort
from tests.conftest import PASSWORD, Cast
from tests.live_server import LiveServer

pytestmark = [pytest.mark.browser, ONE_DATABASE]

GARDEN = "/games/garden-of-forking-paths"


def test_an_older_build_is_released_and_the_way_back_is_one_click(
    sign_in: Callable[[str], Page], cast: Cast, six_servers: list[str], effort: Effort, complaints: list[str]
) -> None:
    scenes.forking_paths(cast.starlight.partner_id)
    scenes.servers_report(silent=["srv-06"])
    page = sign_in(cast.starlight.owner)
    page.goto(GARDEN)
    page.evaluate("window.sameDocument = true")
    opener = page.locator("#b3").get_by_role("link", name="Roll back to build 3")

    # By keyboard: opened, closed, and the focus is where it was.
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Roll back to build 3")
    expect(dialog.get_by_role("heading", level=2)).to_be_focused()
    expect(dialog).to_contain_text("0 B instead of 39.7\u00a0GiB")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    opener.click()
    dialog.get_by_role("link", name="Cancel").click()
    expect(dialog).to_be_hidden()

    effort.begin(page)
    opener.click()
    dialog.get_by_role("button", name="Roll back to build 3 on 6 servers").click()
    toast = page.locator(".toast")
    expect(toast).to_contain_text("Build 3 went live")
    expect(page.locator("#game-state")).to_contain_text("Live: build 3")
    expect(page.locator("tr#b3")).to_contain_text("Live since")
    effort.assert_documented("Roll back to an older build", page)
    toast.get_by_role("link", name="Release build 4 again").click()
    page.get_by_role("button", name="Release build 4 to 6 servers").click()
    expect(page.locator("#game-state")).to_contain_text("Live: build 4")
    assert page.evaluate("window.sameDocument")
    assert complaints == []


def test_without_a_script_the_question_is_a_page(
    chromium: Browser, site: LiveServer, cast: Cast, six_servers: list[str]
) -> None:
    scenes.forking_paths(cast.starlight.partner_id)
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Email").fill(cast.starlight.developer)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(GARDEN)
    page.get_by_role("link", name="Release build 5").first.click()
    page.get_by_role("button", name="Release build 5 to 6 servers").click()
    expect(page.locator(".toast")).to_contain_text("Build 5 went live")
    expect(page.locator("#game-state")).to_contain_text("Live: build 5")
    context.close()
