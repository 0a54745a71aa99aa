"""A real Chromium at a real server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta, timezone

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from sqlalchemy import select

from app.config.settings import MIB
from app.data.extensions import db
from app.data.models.partner import Member
from app.storage import part_writer
from tests.app.web.conftest import six_servers
from tests.browser.effort import Effort
from tests.conftest import PASSWORD
from tests.live_server import LiveServer
from tests.running_workers import running_workers
from tests.signed_in_browsers import begin_session

__all__ = ["six_servers"]

# How long a page may take for what it will do: a machine that is busy with other tests is slow, not wrong.
PATIENCE = 30.0
ZONE = timezone(timedelta(hours=1))  # that of Africa/Lagos, in summer and winter


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    expect.set_options(timeout=PATIENCE * 1000)
    yield
    expect.set_options(timeout=5_000)


def wait_for(page: Page, condition: Callable[[], bool]) -> None:
    """Until something is so that the page's requests or another process bring about."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {PATIENCE} s"
        # Playwright hears what happened meanwhile.
        page.evaluate("new Promise((resume) => setTimeout(resume, 50))")


def with_fonts(page: Page) -> Page:
    """The page, once its own fonts are there: text is as wide as it will stay."""
    page.evaluate("async () => { document.body.offsetHeight; await document.fonts.ready; }")
    return page


# What the page's live region says is removed when it was read.
COLLECT_ANNOUNCEMENTS = """
    window.announcements = [];
    addEventListener("DOMContentLoaded", () => {
        const region = document.getElementById("status");
        const note = () => region.textContent && window.announcements.push(region.textContent);
        if (region) new MutationObserver(note).observe(region, {childList: true});
    });
"""


def wait_for_announcement(page: Page, text: str) -> None:
    """Until a screen reader was told this."""
    wait_for(page, lambda: text in page.evaluate("window.announcements.join('\\n')"))


@pytest.fixture
def workers(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Those who check what was sent, as in a web process. Parts have the least size that storage takes."""
    monkeypatch.setattr(part_writer, "PART", 5 * MIB)
    with running_workers(app):
        yield


@pytest.fixture
def site(app: Flask) -> Iterator[LiveServer]:
    site = LiveServer(app)
    site.start()
    yield site
    site.stop()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console said: violations of the policy, script errors. A journey ends with none."""
    return []


def visit(chromium: Browser, url: str, complaints: list[str]) -> BrowserContext:
    """A browser with its own cookies, whose console is listened to, in ZONE."""
    context = chromium.new_context(
        base_url=url, viewport={"width": 1280, "height": 800}, timezone_id="Africa/Lagos", reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE * 1000)
    context.add_init_script(COLLECT_ANNOUNCEMENTS)

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    context.on("console", heard)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    return context


@pytest.fixture
def context(chromium: Browser, site: LiveServer, complaints: list[str]) -> Iterator[BrowserContext]:
    context = visit(chromium, site.url, complaints)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def effort(context: BrowserContext) -> Effort:
    """Counts what is done in the pages of `context`."""
    return Effort(context)


@pytest.fixture
def sign_in(app: Flask, site: LiveServer, page: Page) -> Callable[[str], Page]:
    """`sign_in(email)`: the page, showing the games, with a session of this member. The form is used in
    test_journey.py and test_pages.py."""

    def enter(email: str) -> Page:
        client = app.test_client()
        member_id = db.session.scalar(select(Member.id).where(Member.email == email))
        begin_session(app, client, member_id)
        cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
        assert member_id, email
        assert cookie, email
        page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": site.url}])
        page.goto("/games")
        return page

    return enter


def enter_through_form(page: Page, email: str, path: str) -> Page:
    """Sign in with the form, on the way to `path`."""
    page.goto(f"/sign-in?next={path}")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{path}")
    return page
