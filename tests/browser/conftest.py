"""A real Chromium at a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from app.config import MIB
from app.jobs import jobs
from app.uploads import parts
from tests.conftest import PASSWORD
from tests.site import Site
from tests.web.conftest import six_servers

__all__ = ["six_servers"]


@pytest.fixture
def workers(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Those who check what was sent, as in a web process. Parts have the least size that storage takes."""
    monkeypatch.setattr(parts, "PART", 5 * MIB)
    work = jobs(app)
    work.start_workers()
    yield
    work.stop_workers()
    work.wait(10)


@pytest.fixture
def site(app: Flask) -> Iterator[Site]:
    site = Site(app)
    site.start()
    yield site
    site.stop()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console said: violations of the policy, script errors. A journey ends with none."""
    return []


def visit(chromium: Browser, url: str, complaints: list[str]) -> BrowserContext:
    """A browser with its own cookies, in a zone that is not UTC, whose console is listened to."""
    context = chromium.new_context(
        base_url=url, viewport={"width": 1280, "height": 800}, timezone_id="Europe/Oslo", reduced_motion="reduce"
    )
    context.set_default_timeout(10_000)

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    context.on("console", heard)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    return context


@pytest.fixture
def context(chromium: Browser, site: Site, complaints: list[str]) -> Iterator[BrowserContext]:
    context = visit(chromium, site.url, complaints)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def sign_in(page: Page) -> Callable[[str], Page]:
    """`sign_in(email)`: the page, after signing in as a person does."""

    def enter(email: str) -> Page:
        page.goto("/sign-in")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/games")
        return page

    return enter
