"""Browser names for lists of sign-ins, such as "Firefox on Linux"."""

from __future__ import annotations

# The first match counts: browsers also name the browsers they descend from.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}
_MAX_OTHER = 40


def browser_name(user_agent: str) -> str:
    """Browser and system from a User-Agent header; for other programs the first word of the header."""
    browser = next((name for mark, name in _BROWSERS.items() if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS.items() if mark in user_agent), "")
    if browser:
        return f"{browser} on {system}" if system else browser
    first = next(iter(user_agent.split()), "")
    return "".join(letter for letter in first if letter.isprintable())[:_MAX_OTHER] or "Unknown browser"
