"""The machine's Chromium: one for a whole run. A second Playwright cannot be started beside a first one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")
# No sandbox: CI runs as root. The rest keeps the browser from looking for updates and the like.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Each window brings the address bar's drop-down along, pages in processes of their own: three times the time of a
    # test's own page. The last such list counts, so what Playwright switches off and matters here is named again.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,HttpsUpgrades,MediaRouter,"
    "OptimizationHints,PaintHolding",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser. Missing: the tests skip, or fail where REQUIRE_BROWSER is set (CI)."""
    if not CHROMIUM.exists():
        missing = f"no browser at {CHROMIUM}; `apt-get install chromium` brings it"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    from playwright.sync_api import sync_playwright  # here: most runs of a few tests need none

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()
