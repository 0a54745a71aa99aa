"""The partner's own page."""

from __future__ import annotations

from collections.abc import Callable

from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import errors, plain
from tests.conftest import Cast

pytestmark = ONE_DATABASE

PAGE = "/settings/partner"


def test_the_page_names_the_partner_and_its_owners(owner: Visitor, cast: Cast) -> None:
    page = owner.get(PAGE).text
    assert 'value="Starlight Studio"' in page
    assert "Owner Owner Partner since" in plain(page)
    assert cast.starlight.partner_id in page


def test_renaming_shows_everywhere(owner: Visitor, viewer: Visitor) -> None:
    assert owner.post(PAGE, {"name": " Starlight & Sons "}).location == PAGE
    assert "The partner is now named Starlight &amp; Sons" in owner.get(PAGE).text
    assert '<span class="partner">Starlight &amp; Sons</span>' in viewer.get("/games").text


def test_a_name_that_cannot_be_is_kept_in_the_field(owner: Visitor) -> None:
    for name, said in (
        ("", "Name the partner"),
        ("x" * 151, "A name has at most 150 characters"),
    ):
        answer = owner.post(PAGE, {"name": name})
        assert errors(answer) == ["The partner is not renamed yet: 1 thing to change", said]
        assert f'value="{name}"' in answer.text
    assert "Starlight Studio" in plain(owner.get(PAGE).text)


def test_others_see_it_and_whom_to_ask(cast: Cast, signed_in: Callable[[str], Visitor]) -> None:
    page = plain(signed_in(cast.starlight.viewer).get(PAGE).text)
    assert "Only owners can rename the partner Your role is viewer. Ask Owner." in page
    assert "Name Starlight Studio" in page
