"""Light, dark, or as the system has it."""

from __future__ import annotations

import re

from tests.app.web.conftest import ONE_DATABASE, Visitor

pytestmark = ONE_DATABASE

PAGE = "/settings/appearance"


def test_a_choice_is_made_without_a_script_and_leads_back_here(viewer: Visitor) -> None:
    for theme in ("light", "dark"):
        answer = viewer.post("/theme", {"theme": theme, "next": PAGE})
        assert (answer.status_code, answer.location) == (303, PAGE)
        page = viewer.get(PAGE).text
        assert f'<html lang="en" data-theme="{theme}">' in page
        pressed = re.findall(r'<button [^>]*class="theme"[^>]*value="(\w+)" aria-pressed="true"', page)
        assert pressed == [theme]


def test_the_form_carries_the_way_back(viewer: Visitor) -> None:
    page = viewer.get(PAGE).text
    assert f'<input type="hidden" name="next" value="{PAGE}">' in page
    assert len(re.findall(r'<button [^>]*class="theme"', page)) == 3
