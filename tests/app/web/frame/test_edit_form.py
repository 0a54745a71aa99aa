"""Two tabs change the same thing: nothing is overwritten unseen, and nothing typed is lost."""

from __future__ import annotations

import html
import re

import pytest

from app.accounts.keys import create_app
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.partner import App, Partner
from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE

DETAILS = "/games/paper-lanterns/details"
Fields = dict[str, str]


def filled(page: str, action: str) -> Fields:
    """The fields of a form as a browser sends them."""
    form = re.search(rf'<form [^>]*action="{re.escape(action)}".*?</form>', page, re.DOTALL)
    assert form, page
    fields: Fields = {}
    for tag in re.findall(r"<input[^>]*>", form[0]):
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if attributes.get("type") != "checkbox" or " checked" in tag:
            fields[attributes["name"]] = html.unescape(attributes.get("value", ""))
    for attributes_text, text in re.findall(r"<textarea([^>]*)>(.*?)</textarea>", form[0], re.DOTALL):
        name = re.search(r'name="(\w+)"', attributes_text)
        assert name
        fields[name[1]] = html.unescape(text).removeprefix("\r\n")
    return fields


@pytest.fixture
def lanterns(cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")


def stored() -> Game:
    db.session.rollback()
    return db.session.query(Game).one()


@pytest.mark.usefixtures("lanterns")
def test_different_fields_of_two_tabs_are_both_saved(owner: Visitor) -> None:
    one = filled(owner.get(DETAILS).text, DETAILS)
    two = filled(owner.get(DETAILS).text, DETAILS)
    assert owner.post(DETAILS, one | {"title": "Paper Lanterns 2"}, token=False).status_code == 303
    assert owner.post(DETAILS, two | {"developer": "Kite Works East"}, token=False).status_code == 303
    assert (stored().title, stored().developer) == ("Paper Lanterns 2", "Kite Works East")


@pytest.mark.usefixtures("lanterns")
def test_a_field_that_both_changed_keeps_what_was_typed_and_names_the_other(owner: Visitor) -> None:
    two = filled(owner.get(DETAILS).text, DETAILS)
    owner.post(DETAILS, two | {"title": "Paper Kites"}, token=False)
    refused = owner.post(DETAILS, two | {"title": "Paper Boats", "developer": "Kite Works East"}, token=False)
    assert refused.status_code == 422
    assert "Title was changed after you opened this form. It is now “Paper Kites”." in html.unescape(refused.text)
    again = filled(refused.text, DETAILS)
    assert (again["title"], again["developer"]) == ("Paper Boats", "Kite Works East")
    assert (stored().title, stored().developer) == ("Paper Kites", "Kite Works")
    assert owner.post(DETAILS, again, token=False).status_code == 303, "seen once, it may be replaced"
    assert (stored().title, stored().developer) == ("Paper Boats", "Kite Works East")


def test_the_same_for_the_name_of_the_partner_and_of_an_app(owner: Visitor, cast: Cast) -> None:
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    app_id = create_app(partner, "Build farm", "", CAST).id
    for address in ("/settings/partner", f"/settings/apps/{app_id}"):
        form = filled(owner.get(address).text, address)
        assert owner.post(address, form | {"name": "First"}, token=False).status_code == 303
        refused = owner.post(address, form | {"name": "Second"}, token=False)
        assert refused.status_code == 422
        assert "It is now “First”" in html.unescape(refused.text)
        assert owner.post(address, filled(refused.text, address), token=False).status_code == 303
    db.session.rollback()
    assert db.session.get_one(App, app_id).name == "Second"


@pytest.mark.usefixtures("lanterns")
def test_a_form_without_what_it_has_seen_is_saved_as_before(owner: Visitor) -> None:
    form = filled(owner.get(DETAILS).text, DETAILS)
    for seen in ("", "[]", "no json"):
        assert owner.post(DETAILS, form | {"seen": seen, "title": f"Title {seen}x"}, token=False).status_code == 303
        assert stored().title == f"Title {seen}x"
