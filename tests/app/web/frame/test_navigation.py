"""The navigation: where a page is, and in which order its neighbours come."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import one_line, plain
from tests.conftest import Cast

pytestmark = ONE_DATABASE


def entries(page: str, label: str) -> list[str]:
    """The entries of a navigation, with `*` behind the current one."""
    found = re.search(rf'<nav [^>]*aria-label="{label}">(.*?)</nav>', one_line(page))
    assert found, page
    links = re.findall(r"<a [^>]*>.*?</a>", found[1])
    return [plain(link).strip() + ("*" if "aria-current" in link else "") for link in links]


def test_activity_and_members_are_in_the_main_navigation(owner: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide")
    current = {
        "/games": "Games",
        "/games/low-tide/activity": "Games",
        "/servers": "Servers",
        "/settings/activity": "Activity",
        "/settings/members": "Members",
        "/settings/partner": "Settings",
        "/settings/keys/new": "Settings",
        "/profile": "",
    }
    for path, name in current.items():
        page = owner.get(path).text
        names = [
            f"{each}*" if each == name else each for each in ("Games", "Servers", "Activity", "Members", "Settings")
        ]
        assert entries(page, "Main") == names, path
        assert len(re.findall(r'class="item"\s+href="[^"]+" aria-current', page)) == bool(name), "in the menu of phones"
    assert entries(owner.get("/settings/keys").text, "Settings") == [
        "Partner",
        "API keys*",
        "Storage and limits",
        "Appearance",
    ]
    for path in ("/settings/activity", "/settings/members"):
        assert 'aria-label="Settings"' not in owner.get(path).text


def test_operators_have_their_own(cast: Cast, signed_in: Callable[[str], Visitor]) -> None:
    page = signed_in(cast.operator).get("/operator/attention").text
    assert entries(page, "Main") == ["Servers*", "Partners", "Storage", "Audit"]
