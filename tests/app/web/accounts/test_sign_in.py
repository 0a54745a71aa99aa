"""Signing in and out, without a script."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from app.accounts import password_hashing
from app.accounts.partners import create_member
from app.accounts.password_rules import MAX_PASSWORD
from app.data.extensions import db
from app.data.models.partner import Partner
from tests.app.web.conftest import BOOSTED, HTMX, ONE_DATABASE, Visitor
from tests.conftest import CAST, PASSWORD, Cast
from tests.signed_in_browsers import is_signed_in

pytestmark = ONE_DATABASE


def test_the_form_is_there_for_everybody(visitor: Visitor, cast: Cast) -> None:
    page = visitor.get("/sign-in")
    assert page.status_code == 200
    assert "<h1>Sign in</h1>" in page.text
    assert 'autocomplete="current-password"' in page.text
    # Tab leads from the email to the password, not to the button that shows it.
    assert re.findall(r'<(?:input|button)[^>]* type="(email|password|button)"', page.text)[:3] == [
        "email",
        "password",
        "button",
    ]


def test_a_member_gets_to_the_games(visitor: Visitor, cast: Cast) -> None:
    answer = visitor.sign_in(cast.starlight.owner)
    assert (answer.status_code, answer.location) == (303, "/games")
    assert "Starlight Studio" in visitor.get("/games").text


def test_the_address_is_taken_in_any_case(visitor: Visitor, cast: Cast) -> None:
    assert visitor.sign_in(f" {cast.starlight.owner.upper()} ").status_code == 303


def test_a_cookie_of_the_version_before_asks_to_sign_in_once_more(app: Flask, cast: Cast) -> None:
    for old in ("member_0123456789abcdefghjkmn:stamp_0123456789abcdefghjkmn", "", ":", "x" * 4000):
        browser = Visitor(app.test_client())
        with browser.client.session_transaction() as session:
            session["_user_id"], session["_fresh"] = old, True
        assert browser.get("/games").location == "/sign-in?next=/games"
        assert browser.get("/sign-in").status_code == 200
        assert browser.sign_in(cast.starlight.owner).status_code == 303


def test_signing_out_ends_the_cookie_wherever_it_was_copied_to(owner: Visitor, app: Flask) -> None:
    copy = Visitor(app.test_client())
    with owner.client.session_transaction() as session:
        kept = dict(session)
    with copy.client.session_transaction() as session:
        session.update(kept)
    assert copy.get("/games").status_code == 200
    owner.post("/sign-out")
    assert copy.get("/games").location == "/sign-in?next=/games"
    assert copy.get("/games/x/live", headers={"Accept": "text/event-stream"}).status_code == 401


def test_signing_in_again_ends_what_the_browser_had_before(owner: Visitor, cast: Cast) -> None:
    with owner.client.session_transaction() as session:
        before = session["_user_id"]
    owner.sign_in(cast.starlight.viewer)
    assert not is_signed_in(before)


def test_a_password_of_the_greatest_length_gets_in(visitor: Visitor, cast: Cast) -> None:
    longest = "\U0001f3ee" * MAX_PASSWORD
    create_member(None, "long@slipway.example", "Long", "operator", longest, CAST)
    assert visitor.sign_in("long@slipway.example", longest).status_code == 303
    answer = visitor.sign_in("long@slipway.example", longest + "!")
    assert answer.status_code == 422


def test_a_full_queue_keeps_the_email_and_not_the_password(
    visitor: Visitor, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(password_hashing.hash_slots, "limit", 0)
    answer = visitor.sign_in(cast.starlight.owner)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "Too many people are signing in at this moment" in answer.text
    assert f'value="{cast.starlight.owner}"' in answer.text
    assert PASSWORD not in answer.text


def test_of_several_accounts_with_one_password_one_is_chosen(visitor: Visitor, cast: Cast) -> None:
    starlight = db.session.get_one(Partner, cast.starlight.partner_id)
    create_member(starlight, cast.moonbase.owner, "Noor", "viewer", PASSWORD, CAST)
    answer = visitor.sign_in(cast.moonbase.owner)
    assert answer.status_code == 422
    assert "Choose one and enter the password again" in answer.text
    offered = dict(re.findall(r'<option[^>]* value="(member_[^"]+)">([^<]+)', answer.text))
    assert sorted(offered.values()) == ["Moonbase (owner)", "Starlight Studio (viewer)"]
    wrong = visitor.sign_in(cast.moonbase.owner, "not the password", account=next(iter(offered)))
    assert "Moonbase" not in wrong.text
    chosen = next(key for key, name in offered.items() if name.startswith("Starlight"))
    assert visitor.sign_in(cast.moonbase.owner, account=chosen).status_code == 303
    assert "Starlight Studio" in visitor.get("/games").text


def test_a_signed_in_member_is_not_asked_again(owner: Visitor) -> None:
    assert owner.get("/sign-in").location == "/games"


@pytest.mark.parametrize("email", ["owner@starlight.example", "nobody@starlight.example"])
def test_unknown_and_wrong_get_the_same_answer(visitor: Visitor, cast: Cast, email: str) -> None:
    answer = visitor.sign_in(email, "not the password")
    assert answer.status_code == 422
    assert "Email or password is wrong" in answer.text
    assert f'value="{email}"' in answer.text  # the input is kept
    assert "not the password" not in answer.text


def test_empty_fields_are_named_and_the_summary_is_focused(visitor: Visitor, cast: Cast) -> None:
    answer = visitor.post("/sign-in", {"email": "", "password": ""})
    assert answer.status_code == 422
    assert 'id="summary" tabindex="-1" autofocus' in answer.text
    assert '<a href="#email">Enter your email address</a>' in answer.text
    assert 'aria-describedby="email-error"' in answer.text
    assert 'aria-invalid="true"' in answer.text


def test_without_a_token_nothing_is_done(visitor: Visitor, cast: Cast) -> None:
    answer = visitor.post("/sign-in", {"email": cast.starlight.owner, "password": PASSWORD}, token=False)
    assert answer.status_code == 400
    assert "out of date" in answer.text
    assert visitor.get("/games").status_code == 302


def test_signing_in_begins_a_new_session(visitor: Visitor, cast: Cast) -> None:
    before = visitor.token()
    visitor.sign_in(cast.starlight.owner)
    assert visitor.token() != before


def test_signing_out_ends_it(owner: Visitor) -> None:
    assert owner.post("/sign-out").location == "/sign-in"
    assert owner.get("/games").location == "/sign-in?next=/games"


def test_signing_out_takes_a_post_with_a_token(owner: Visitor) -> None:
    assert owner.get("/sign-out").status_code == 405
    assert owner.post("/sign-out", token=False).status_code == 400
    assert owner.get("/games").status_code == 200


def test_who_was_on_the_way_somewhere_arrives_there(visitor: Visitor, cast: Cast) -> None:
    asked = visitor.get("/games?tag=Mystery")
    assert asked.location == "/sign-in?next=/games?tag%3DMystery"
    answer = visitor.sign_in(cast.starlight.owner, next="/games?tag=Mystery")
    assert answer.location == "/games?tag=Mystery"


def test_an_address_elsewhere_is_dropped_by_the_form(visitor: Visitor, cast: Cast) -> None:
    assert visitor.sign_in(cast.starlight.owner, next="https://evil.example/").location == "/games"


@pytest.mark.settings(SLIPWAY_SIGN_IN_RATE="2 per 5 minutes")
def test_wrong_tries_have_to_wait_and_right_ones_do_not_count(visitor: Visitor, cast: Cast) -> None:
    for _ in range(3):
        assert visitor.sign_in(cast.starlight.owner).status_code == 303
        visitor.post("/sign-out")
    for _ in range(2):
        assert visitor.sign_in(cast.starlight.owner, "wrong").status_code == 422
    answer = visitor.sign_in(cast.starlight.owner)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert "Too many wrong passwords" in answer.text


@pytest.mark.settings(SLIPWAY_SIGN_IN_RATE="2 per 5 minutes")
def test_an_account_that_nobody_has_waits_in_the_same_way(visitor: Visitor, cast: Cast) -> None:
    answers = [visitor.sign_in("nobody@starlight.example", "wrong").status_code for _ in range(3)]
    assert answers == [422, 422, 429]


def test_signed_out_fragments_and_streams_get_401_instead_of_a_page(visitor: Visitor, cast: Cast) -> None:
    assert visitor.get("/games", headers=HTMX).status_code == 401
    assert visitor.get("/games/x/live", headers={"Accept": "text/event-stream"}).status_code == 401


def test_a_signed_out_boosted_link_loads_the_sign_in_page_whole(visitor: Visitor, cast: Cast) -> None:
    answer = visitor.get("/games", headers=BOOSTED)
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/games"


def test_an_operator_gets_to_the_servers(visitor: Visitor, cast: Cast) -> None:
    visitor.sign_in(cast.operator)
    assert visitor.get("/games").location == "/operator/servers"
    assert visitor.get("/games/anything").status_code == 403
