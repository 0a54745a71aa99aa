"""Form fields that a newcomer could misread have a hint, which screen readers read with the field."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.frame.test_security_headers import lint
from tests.app.web.scenes import Sent
from tests.conftest import Cast

GAME = "/games/paper-lanterns"
PARTNER_PAGES = (
    "/games/new",
    f"{GAME}/details",
    f"{GAME}/builds",
    f"{GAME}/builds/1",
    f"{GAME}/components/new",
    "/settings/partner",
    "/settings/members",
    "/settings/keys/new",
    "/settings/apps/new",
    "/profile",
)
OPERATOR_PAGES = ("/operator/add-server", "/operator/servers/srv-01", "/operator/partners/new", "/operator/partners/{}")
# Their labels say everything.
SELF_EXPLANATORY = {"Current password"}
OPTIONAL = r'(?: <span class="optional">\(optional\)</span>)?'


def fields(page: str) -> dict[str, str]:
    """Label -> the tag of its control, of each field of a form (check boxes have their words beside them)."""
    found = {}
    for control_id, label in re.findall(rf'<label for="([^"]+)">([^<]+){OPTIONAL}</label>', page):
        control = re.search(rf'<(?:input|select|textarea)[^>]* id="{control_id}"[^>]*>', page)
        assert control, label
        found[label] = control[0]
    return found


@ONE_DATABASE
def test_each_field_has_a_hint_that_is_tied_to_it(
    cast: Cast, owner: Visitor, signed_in: Callable[[str], Visitor], subtests: pytest.Subtests
) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns", [Sent()])
    operator = signed_in(cast.operator)
    pages = [(owner, path) for path in PARTNER_PAGES]
    pages += [(operator, path.format(cast.starlight.partner_id)) for path in OPERATOR_PAGES]
    for visitor, path in pages:
        with subtests.test(path=path):
            page = visitor.get(path).text
            found, ids = fields(page), lint(page).ids
            assert found
            for label, control in found.items():
                described = re.search(r'aria-describedby="([^"]+)"', control)
                assert described or label in SELF_EXPLANATORY, label
                if described:
                    assert set(described[1].split()) <= set(ids), label


@ONE_DATABASE
def test_examples_are_real_values(cast: Cast, owner: Visitor) -> None:
    """A value copied from each hint is accepted."""
    page = owner.get("/games/new").text
    answer = owner.post(
        "/games/new",
        {
            "title": "Paper Lanterns",
            "developer": "Kite Works",
            "description": "Words.",
            "slug": _example(page, "Slug"),
            "renpy_dir": _example(page, "Save directory"),
            "launcher": _example(page, "Launcher"),
            "tags": _example(page, "Tags"),
            "release_date": _example(page, "Release date"),
            "content_rating": _example(page, "Content rating"),
            "languages": _example(page, "Languages"),
        },
    )
    assert answer.status_code == 303, answer.text
    assert answer.location == "/games/paper-lanterns"


def _example(page: str, label: str) -> str:
    """The value after "such as" in a field's hint."""
    found = re.search(
        rf'<label for="[^"]*">{label}{OPTIONAL}</label>\s*<p class="hint"[^>]*>.*?such as (.*?)\.(?: It |</p>)', page
    )
    assert found, label
    return found[1]
