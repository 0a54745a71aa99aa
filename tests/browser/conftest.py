"""A real Chromium at a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page
from werkzeug.serving import WSGIRequestHandler, make_server

from app import budgets
from app.config import MIB
from app.fleet.events import hub
from app.jobs import jobs
from app.uploads import parts
from tests.conftest import PASSWORD
from tests.running.processes import wait_until
from tests.web.conftest import six_servers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["six_servers"]


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: a failed journey is read in the browser's terms."""


def _closed_in_any_case(app: WSGIApplication) -> WSGIApplication:
    """Werkzeug's server forgets to close a body when the connection is reset in the moment after its last byte; what
    waits for that, a live stream's place, would never be given back. A generator is closed with its frame."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        body = app(environ, start_response)

        def pieces() -> Iterator[bytes]:
            try:
                for piece in body:  # `yield from` would close it as well
                    yield piece
            finally:
                getattr(body, "close", lambda: None)()

        return pieces()

    return answer


class Site:
    """The app behind a threaded server on loopback."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.server = make_server("127.0.0.1", 0, _closed_in_any_case(app), threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """As a server stops: its streams end first. One that outlived its app would move the next app's hub to the
        versions of another database, and what changes there would be no news to anybody."""
        hub.stop()
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()
        for thread in threading.enumerate():
            # A request that was taken a moment ago may still be about to open its stream. A connection on which a
            # browser that goes on living asks nothing would be waited for in vain.
            if thread.name.endswith("(process_request_thread)"):
                thread.join(1)
        wait_until(lambda: budgets.streams.taken == 0, 20, "all streams have ended")


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
