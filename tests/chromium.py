"""The machine's Chromium, one per run, because a second Playwright cannot start beside the first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")
# No sandbox, because CI runs as root. The other flags stop requests for updates and the like.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Each window starts pages for the address bar's drop-down in separate processes, which take three times as long as
    # a test's own page. A spare renderer process waits for another page; few tests open one. Only the last such list
    # counts, so it repeats Playwright's entries that matter here.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,SpareRendererForSitePerProcess,"
    "HttpsUpgrades,MediaRouter,OptimizationHints,PaintHolding",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser. If it is missing, the tests skip, or fail if REQUIRE_BROWSER is set (CI)."""
    if not CHROMIUM.exists():
        missing = f"no browser at {CHROMIUM}; run `apt-get install chromium`"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    from playwright.sync_api import sync_playwright  # imported here, because most runs of a few tests do not need it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()
