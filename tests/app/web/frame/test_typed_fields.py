"""What was typed comes back when a form is not accepted, and goes on after signing in. Without a script."""

from __future__ import annotations

import html
import re
from itertools import chain

import pytest
from flask import Flask
from flask_wtf import FlaskForm
from wtforms import PasswordField

from app.accounts.sign_ins import end_all
from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.partner import Member
from app.refusals import Unavailable
from app.web.frame import typed_fields
from app.web.frame.typed_fields import TypedFields, is_secret, seal, unseal
from app.web.games import new_game
from tests.app.web.conftest import BOOSTED, ONE_DATABASE, Visitor
from tests.app.web.games.test_new_game import LANTERNS
from tests.conftest import PASSWORD, Cast

pytestmark = ONE_DATABASE

Fields = dict[str, str]


def hidden_fields(page: str, action: str) -> Fields:
    """The hidden fields of the page's form that is sent to `action`."""
    form = re.search(rf'<form [^>]*action="{re.escape(action)}".*?</form>', page, re.DOTALL)
    assert form, page
    found = re.findall(r'<input[^>]*type="hidden"[^>]*>', form[0])
    pairs = ((re.search(r'name="([^"]+)"', one), re.search(r'value="([^"]*)"', one)) for one in found)
    return {name[1]: html.unescape(value[1]) for name, value in pairs if name and value}


def end_session(cast: Cast) -> None:
    """End every sign-in of the owner, as the profile page of another browser does."""
    member = db.session.query(Member).filter_by(email=cast.starlight.owner).one()
    with writing() as session:
        end_all(session, member)


def games() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(db.select(Game.title)))


def test_a_form_sent_after_the_session_ended_goes_on_after_signing_in(owner: Visitor, cast: Cast) -> None:
    token = owner.token()
    end_session(cast)
    asked = owner.post("/games/new", LANTERNS | {"csrf_token": token}, token=False)
    assert asked.status_code == 401
    assert "What you typed is kept. Sign in to send it." in asked.text
    account = {"email": cast.starlight.owner, "password": "wrong" + PASSWORD}
    wrong = owner.post("/sign-in", hidden_fields(asked.text, "/sign-in") | account, token=False)
    assert wrong.status_code == 422
    account["password"] = PASSWORD
    again = owner.post("/sign-in", hidden_fields(wrong.text, "/sign-in") | account, token=False)
    assert again.status_code == 200
    assert "PaperLanterns-1698234567" in again.text, "what is sent is shown"
    assert games() == [], "nothing is sent without the member"
    sent = owner.post("/games/new", hidden_fields(again.text, "/games/new"), token=False)
    assert sent.status_code == 303
    assert games() == ["Paper Lanterns"]


def test_the_same_after_signing_out_in_another_tab(owner: Visitor, cast: Cast) -> None:
    """The session's cookie is gone too, and with it the CSRF token that the form was made with."""
    token = owner.token()
    owner.post("/sign-out")
    asked = owner.post("/games/new", LANTERNS | {"csrf_token": token}, token=False)
    assert asked.status_code == 401
    assert unseal_in(owner, hidden_fields(asked.text, "/sign-in")["typed"]) is not None


def unseal_in(visitor: Visitor, text: str) -> TypedFields | None:
    with visitor.client.application.test_request_context():
        return unseal(text)


def test_a_form_of_an_earlier_session_is_shown_and_sent_again(owner: Visitor, cast: Cast) -> None:
    token = owner.token()
    owner.post("/sign-out")
    owner.sign_in(cast.starlight.owner)
    refused = owner.post("/games/new", LANTERNS | {"csrf_token": token}, token=False)
    assert refused.status_code == 400
    assert "Check what you typed, then send it again." in refused.text
    assert owner.post("/games/new", hidden_fields(refused.text, "/games/new"), token=False).status_code == 303
    assert games() == ["Paper Lanterns"]


def test_a_form_that_storage_does_not_answer_for_keeps_what_was_typed(
    owner: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Unavailable("Storage is unreachable. Try again in 5 seconds.", retry_after=5)

    with monkeypatch.context() as patched:
        patched.setattr(new_game, "register_game", away)
        refused = owner.post("/games/new", LANTERNS)
        line = owner.post("/games/new", LANTERNS, headers=BOOSTED)
    assert refused.status_code == line.status_code == 503
    assert "Storage is unreachable" in refused.text
    assert line.mimetype == "text/plain", "the script shows the line on the page, whose form stays"
    assert owner.post("/games/new", hidden_fields(refused.text, "/games/new"), token=False).status_code == 303


def test_passwords_are_never_kept(owner: Visitor, cast: Cast) -> None:
    token = owner.token()
    end_session(cast)
    form = {"csrf_token": token, "name": "Nightly", "password": "secret-words-9", "new_password": "secret-words-8"}
    asked = owner.post("/settings/keys", form, token=False)
    kept = unseal_in(owner, hidden_fields(asked.text, "/sign-in")["typed"])
    assert kept is not None
    assert [name for name, _ in kept.fields] == ["name"]
    assert "secret-words" not in asked.text


def test_every_password_field_has_a_name_that_is_not_kept(app: Flask) -> None:
    def below(form: type) -> set[type]:
        subclasses: list[type] = form.__subclasses__()
        return {form, *chain.from_iterable(below(one) for one in subclasses)}

    with app.test_request_context():
        forms = [form for form in below(FlaskForm) if form.__module__.startswith("app.")]
        fields = [
            name
            for form in forms
            for name, field in vars(form).items()
            if getattr(field, "field_class", None) is PasswordField
        ]
    assert len(fields) >= 4
    assert [name for name in fields if not is_secret(name)] == []


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
def test_the_form_of_another_site_is_not_kept(owner: Visitor, cast: Cast, headers: Fields) -> None:
    owner.post("/sign-out")
    answer = owner.post("/games/new", LANTERNS, token=False, headers=headers)
    assert answer.status_code == 302
    owner.sign_in(cast.starlight.owner)
    assert "Paper Lanterns" not in owner.post("/games/new", LANTERNS, token=False, headers=headers).text


def test_sealed_fields_end_after_an_hour_and_cannot_be_made_by_others(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = TypedFields("/games/new", [("title", "Paper Lanterns")])
    with app.test_request_context():
        text = seal(typed)
        assert unseal(text) == typed
        assert unseal(text[:-2] + "xx") is None
        assert unseal(seal(TypedFields("https://elsewhere.example/", typed.fields))) is None
        monkeypatch.setattr(typed_fields, "MAX_AGE", -1)
        assert unseal(text) is None
