"""Browsers in few words."""

from __future__ import annotations

from app.web.accounts.browser_names import browser_name


def test_names_of_browsers_are_short() -> None:
    windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0"
    assert browser_name(windows) == "Edge on Windows"
    assert browser_name("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0") == "Firefox on Linux"
    assert browser_name("curl/8.5.0") == "curl/8.5.0"
    assert browser_name("") == "Unknown browser"
    assert browser_name("\u202e" + "x" * 5000) == "x" * 40
