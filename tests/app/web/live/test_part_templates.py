"""Live parts are rendered outside of requests, where `url_for` raises: their templates write their addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.conftest import ROOT

TEMPLATES = ROOT / "app" / "templates"


def with_what_they_use(names: set[str]) -> Iterator[str]:
    """These templates, and those that they import, include or extend."""
    seen: set[str] = set()
    while names:
        name = names.pop()
        seen.add(name)
        yield name
        used = re.findall(r'(?:from|import|include|extends) "([\w/]+\.html)"', (TEMPLATES / name).read_text())
        names |= set(used) - seen


def test_no_template_of_a_live_part_asks_for_an_address() -> None:
    parts = {
        name
        for module in (ROOT / "app" / "web").rglob("*.py")
        for call in re.findall(r"render_part\((.*?)\)", module.read_text(), re.DOTALL)
        for name in re.findall(r'"([\w/]+\.html)"', call)
    }
    assert len(parts) > 15
    assert [name for name in with_what_they_use(parts) if "url_for(" in (TEMPLATES / name).read_text()] == []
