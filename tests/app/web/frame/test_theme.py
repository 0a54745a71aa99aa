"""Light, dark, or as the system has it."""

from __future__ import annotations

import json

import pytest

from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import one_line
from tests.conftest import Cast

pytestmark = ONE_DATABASE


def test_without_a_choice_the_system_decides(owner: Visitor) -> None:
    assert '<html lang="en">' in owner.get("/games").text


@pytest.mark.parametrize("choice", ["light", "dark"])
def test_a_choice_is_written_into_the_next_page(owner: Visitor, choice: str) -> None:
    answer = owner.post("/theme", {"theme": choice, "next": "/games?q=x"})
    assert (answer.status_code, answer.location) == (303, "/games?q=x")
    page = owner.get("/games").text
    assert f'<html lang="en" data-theme="{choice}">' in page
    assert f'value="{choice}" aria-pressed="true"' in one_line(page)
    owner.post("/theme", {"theme": "auto"})
    assert '<html lang="en">' in owner.get("/games").text


def test_with_the_script_the_page_stays(owner: Visitor) -> None:
    answer = owner.post("/theme", {"theme": "dark"}, headers=HTMX)
    assert answer.status_code == 204
    assert json.loads(answer.headers["HX-Trigger"]) == {"theme": "dark"}


def test_another_value_is_refused(owner: Visitor) -> None:
    assert owner.post("/theme", {"theme": "pink"}).status_code == 400
    owner.client.set_cookie("slipway_theme", '"><script>')
    assert '<html lang="en">' in owner.get("/games").text


def test_the_way_back_stays_here(owner: Visitor, cast: Cast) -> None:
    assert owner.post("/theme", {"theme": "dark", "next": "//evil.example"}).location == "/games"
