"""What a browser calls itself, in few words: "Firefox on Linux"."""

from __future__ import annotations

# The first that is found counts: browsers name those they descend from as well.
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
    """From the User-Agent header; of a program that is no browser the first word, as it is."""
    browser = next((name for mark, name in _BROWSERS.items() if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS.items() if mark in user_agent), "")
    if browser:
        return f"{browser} on {system}" if system else browser
    first = next(iter(user_agent.split()), "")
    return "".join(letter for letter in first if letter.isprintable())[:_MAX_OTHER] or "Unknown browser"
