"""API keys: made with the password, shown once, rolled, revoked; and their apps."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select

from app.accounts.keys import create_app, create_key, revoke_key, roll_key
from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.partner import ApiKey, App, Partner
from tests.app.web.conftest import BOOSTED, ONE_DATABASE, Visitor
from tests.app.web.reading import afresh, errors, number, plain, shown_secret
from tests.conftest import CAST, PASSWORD, Cast, bearer

pytestmark = ONE_DATABASE

PAGE = "/settings/keys"


@pytest.fixture
def partner(cast: Cast) -> Partner:
    return db.session.get_one(Partner, cast.starlight.partner_id)


@pytest.fixture
def key(partner: Partner) -> ApiKey:
    return create_key(partner, "CI", ["read", "upload"], CAST, "Release pipeline")[0]


def filled(owner: Visitor, path: str = f"{PAGE}/new", **changes: Any) -> dict[str, Any]:
    """A form that makes a key of a new app."""
    values = {
        "app": "",
        "new_app": "Build farm",
        "name": "Nightly",
        "scopes": ["read", "upload"],
        "password": PASSWORD,
        "number": number(owner.get(path).text),
    }
    return values | changes


ID = r"key_\S+ Copy the id of the key"


def keys_made() -> int:
    afresh()
    return db.session.scalar(select(func.count()).select_from(ApiKey)) or 0


def test_keys_are_grouped_by_app_and_say_enough_to_recognise_them(owner: Visitor, key: ApiKey) -> None:
    page = plain(owner.get(PAGE).text)
    assert re.search(rf"CI Rename CI .*Release pipeline {ID} {re.escape(key.hint)} .*read upload", page)
    assert "Dashboard wall" in page
    assert key.secret_hash not in page
    assert not re.search(r"</span>\s+</a>", owner.get(PAGE).text), "space after the hidden words widens a button"


def test_the_form_says_which_scopes_release_builds(owner: Visitor) -> None:
    page = plain(owner.get("/settings/keys/new").text)
    assert "write Change games, images and components; release builds" in page
    assert "upload Send images and builds; builds may go live at once. slipway push needs read too" in page


def test_the_built_in_app_is_not_offered(owner: Visitor, cast: Cast) -> None:
    assert "Dashboard Rename" not in plain(owner.get(PAGE).text)
    assert not re.search(r"<option[^>]*>Dashboard<", owner.get(f"{PAGE}/new").text)


def test_a_key_says_when_it_was_last_used(owner: Visitor, key: ApiKey) -> None:
    for used, age, words in (
        (timedelta(minutes=6), timedelta(days=9), r'<td role="cell" class="used soft">\s*<time [^>]*data-as="recent"'),
        (None, timedelta(days=1), "Not used yet"),
        (None, timedelta(days=90), "Never used"),
    ):
        with writing():
            key.last_used_at = now() - used if used else None
            key.created_at = now() - age
        row = re.search(
            rf'<tr role="row" id="{key.id}">(?:(?!</tr>).)*{re.escape(key.hint)}.*?</tr>',
            owner.get(PAGE).text,
            re.DOTALL,
        )
        assert row
        assert re.search(words, row[0])


def test_making_a_key_shows_it_once(owner: Visitor, client: FlaskClient, cast: Cast) -> None:
    answer = owner.post(PAGE, filled(owner))
    assert answer.status_code == 200
    secret = shown_secret(answer.text, "pp")
    assert secret
    assert "Copy the new key for Build farm now" in plain(answer.text)
    assert "This is the only time it is shown." in plain(answer.text)
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert client.get("/api/partners/games", headers=bearer(secret)).status_code == 200
    assert secret not in owner.get(PAGE).text
    assert secret not in owner.get("/settings/activity").text


def test_a_key_can_be_made_to_expire_and_the_list_says_when(owner: Visitor, key: ApiKey) -> None:
    assert "Never After 30 days After 90 days After 180 days After 1 year" in plain(owner.get(f"{PAGE}/new").text)
    made = owner.post(PAGE, filled(owner, expires="90"))
    assert "Scopes: read, upload. It expires on" in plain(made.text)
    afresh()
    ends = db.session.scalars(select(ApiKey).where(ApiKey.name == "Nightly")).one().expires_at
    assert ends is not None
    assert timedelta(days=89) < ends - now() <= timedelta(days=90)
    listed = plain(owner.get(PAGE).text)
    assert re.search(rf"Nightly {ID} pp_\S+ .*read upload .* Not used yet {ends.day} {ends:%b %Y} Roll", listed)
    assert "Last used Expires Actions" in listed
    assert re.search(rf"Release pipeline {ID} .* Never Roll", listed)
    refused = owner.post(PAGE, filled(owner, name="Other", expires="-5"))
    assert refused.status_code == 422
    assert keys_named("Other") == 0


def test_a_key_that_ends_soon_is_marked_and_can_be_rolled(owner: Visitor, key: ApiKey) -> None:
    assert 'class="icon i-queued ending"' not in owner.get(PAGE).text
    with writing():
        key.expires_at = now() + timedelta(days=3)
    page = owner.get(PAGE).text
    assert 'class="icon i-queued ending"' in page
    assert f"{PAGE}/{key.id}/roll" in page


def keys_named(name: str) -> int:
    afresh()
    return db.session.scalar(select(func.count()).select_from(ApiKey).where(ApiKey.name == name)) or 0


def test_sending_the_form_again_makes_no_second_key_and_shows_nothing(owner: Visitor, cast: Cast) -> None:
    form, before = filled(owner), keys_made()
    secret = shown_secret(owner.post(PAGE, form).text, "pp")
    again = owner.post(PAGE, form)
    assert (again.status_code, again.location) == (303, PAGE)
    assert keys_made() == before + 1
    page = owner.get(PAGE).text
    assert "Roll it if you have not stored it" in page
    assert secret
    assert secret not in page


def test_the_secret_is_in_no_cookie(owner: Visitor) -> None:
    answer = owner.post(PAGE, filled(owner))
    secret = shown_secret(answer.text, "pp")
    assert secret
    assert all(secret not in cookie for cookie in answer.headers.getlist("Set-Cookie"))


def test_a_boosted_form_leaves_the_address_of_the_list(owner: Visitor) -> None:
    answer = owner.post(PAGE, filled(owner), headers=BOOSTED)
    assert answer.headers["HX-Push-Url"] == PAGE


def test_a_key_can_be_made_for_an_app_that_is_there(owner: Visitor, key: ApiKey) -> None:
    page = owner.get(f"{PAGE}/new?app={key.app_id}").text
    assert re.search(rf'<option selected value="{key.app_id}">CI<', page)
    answer = owner.post(PAGE, filled(owner, app=key.app_id, new_app=""))
    assert "Copy the new key for CI now" in plain(answer.text)


def test_a_wrong_password_makes_nothing_and_keeps_the_input(owner: Visitor, cast: Cast) -> None:
    before = keys_made()
    answer = owner.post(PAGE, filled(owner, password="not my password", scopes=["write"]))
    assert errors(answer) == [
        "The key is not created yet: 1 thing to change",
        "This is not your password. Nothing was changed.",
    ]
    assert 'value="Nightly"' in answer.text
    assert re.search(r'value="write"\s+id="[^"]+"\s+checked', answer.text)
    assert not re.search(r'value="read" id="[^"]+" checked', answer.text)
    assert "not my password" not in answer.text
    assert keys_made() == before


def test_after_a_wrong_password_the_form_can_be_sent_again(owner: Visitor) -> None:
    refused = owner.post(PAGE, filled(owner, password="not my password"))
    answer = owner.post(PAGE, filled(owner) | {"number": number(refused.text)})
    assert shown_secret(answer.text, "pp")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"new_app": " "}, "Name the new app"),
    ({"new_app": "CI\nEVIL=1"}, "The app's name must be one line without control characters."),
    ({"name": ""}, "Name the key"),
    ({"name": "x" * 101}, "A name has at most 100 characters"),
    ({"scopes": []}, "Choose at least 1 scope"),
    ({"scopes": ["admin"]}, "A key's scopes are some of read, write, upload."),
    ({"password": ""}, "Enter your password"),
    ({"app": "app_of_somebody_else"}, "This app no longer exists. Choose another."),
]


def test_what_is_missing_is_named_beside_its_field(owner: Visitor, cast: Cast) -> None:
    before = keys_made()
    for changes, said in WRONG:
        answer = owner.post(PAGE, filled(owner, **changes))
        assert said in errors(answer), changes
        wrong = answer.text.count('class="field wrong"') + answer.text.count('class="field checks wrong"')
        assert wrong == 1, changes
    assert keys_made() == before


@pytest.mark.settings(SLIPWAY_SIGN_IN_RATE="2 per 5 minutes")
def test_wrong_passwords_have_to_wait_as_at_the_door(owner: Visitor, cast: Cast) -> None:
    for _ in range(2):
        assert owner.post(PAGE, filled(owner, password="wrong")).status_code == 422
    before = keys_made()
    answer = owner.post(PAGE, filled(owner))
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert any("Too many wrong passwords. Wait 5 minutes" in line for line in errors(answer))
    assert keys_made() == before


@pytest.mark.settings(SLIPWAY_SIGN_IN_RATE="2 per 5 minutes")
def test_right_passwords_never_have_to_wait(owner: Visitor) -> None:
    for _ in range(4):
        assert owner.post(PAGE, filled(owner)).status_code == 200


@pytest.mark.settings(SLIPWAY_SIGN_IN_RATE="2 per 5 minutes")
def test_who_guesses_at_the_door_keeps_nobody_from_their_keys(owner: Visitor, visitor: Visitor, cast: Cast) -> None:
    for _ in range(3):
        visitor.sign_in(cast.starlight.owner, "guess")
    assert owner.post(PAGE, filled(owner)).status_code == 200


def test_a_new_key_is_handed_out_as_an_environment_file(owner: Visitor, cast: Cast) -> None:
    secret = shown_secret(owner.post(PAGE, filled(owner)).text, "pp")
    answer = owner.post(f"{PAGE}/env", {"secret": secret})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="slipway.env"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.text.splitlines() == [
        "# Build farm, Nightly: read, upload",
        "SLIPWAY_URL=http://localhost",
        f"SLIPWAY_KEY={secret}",
    ]


def test_no_file_is_made_of_what_is_not_a_key_of_ours(owner: Visitor, cast: Cast) -> None:
    for secret in ("", "pp_guess", cast.moonbase.key):
        assert owner.post(f"{PAGE}/env", {"secret": secret}).status_code == 404


def test_rolling_shows_the_new_key_and_until_when_the_old_one_works(
    owner: Visitor, client: FlaskClient, key: ApiKey
) -> None:
    roll = f"{PAGE}/{key.id}/roll"
    question = owner.get(roll).text
    assert f"Roll {key.hint}?" in question
    answer = owner.post(roll, {"password": PASSWORD, "number": number(question)}, headers=BOOSTED)
    assert answer.headers["HX-Push-Url"] == PAGE
    secret = shown_secret(answer.text, "pp")
    assert secret
    words = plain(answer.text)
    assert "Copy the new key for CI now" in words
    assert f"Scopes: read, upload. The old key {key.hint} works until" in words
    old = rf"Release pipeline, old {ID} {re.escape(key.hint)}"
    assert re.search(rf"{old} .*read upload .* Not used yet \d+ \w+, \d\d:\d\d UTC Revoke now", words)
    assert client.get("/api/partners/games", headers=bearer(secret)).status_code == 200


def test_rolling_takes_the_password(owner: Visitor, key: ApiKey) -> None:
    roll, before = f"{PAGE}/{key.id}/roll", keys_made()
    answer = owner.post(roll, {"password": "wrong", "number": number(owner.get(roll).text)})
    assert errors(answer)[0] == "The key is not rolled yet: 1 thing to change"
    assert keys_made() == before


def test_rolling_by_reloading_makes_no_second_key(owner: Visitor, key: ApiKey) -> None:
    roll = f"{PAGE}/{key.id}/roll"
    form = {"password": PASSWORD, "number": number(owner.get(roll).text)}
    owner.post(roll, form)
    before = keys_made()
    assert owner.post(roll, form).location == PAGE
    assert keys_made() == before


def test_a_key_that_ends_already_cannot_be_rolled(owner: Visitor, key: ApiKey) -> None:
    roll = f"{PAGE}/{key.id}/roll"
    form = {"password": PASSWORD, "number": number(owner.get(roll).text)}
    roll_key(key, CAST)
    assert (
        errors(owner.post(roll, form))[1]
        == f"The key {key.hint} was revoked or rolled already. Create a new key instead."
    )


def test_revoking_asks_first_and_says_when_the_key_was_used(owner: Visitor, key: ApiKey) -> None:
    question = plain(owner.get(f"{PAGE}/{key.id}/revocation").text)
    assert f"Revoke {key.hint}? This key was never used. All requests with this key will be refused." in question
    with writing():
        key.last_used_at = now() - timedelta(minutes=6)
    question = owner.get(f"{PAGE}/{key.id}/revocation").text
    assert re.search(r"CI used it <time [^>]+data-as=\"within\">[^<]+</time>\.", question)


def test_a_revoked_key_is_refused_and_gone_from_the_list(owner: Visitor, client: FlaskClient, partner: Partner) -> None:
    key, secret = create_key(partner, "CI", ["read"], CAST, "Doomed")
    answer = owner.post(f"{PAGE}/{key.id}/revocation")
    assert (answer.status_code, answer.location) == (303, PAGE)
    page = owner.get(PAGE).text
    assert f"{key.hint} is revoked" in plain(page)  # the toast
    assert "Doomed" not in page
    assert f"{key.hint} is revoked" not in plain(owner.get(PAGE).text)
    assert client.get("/api/partners/games", headers=bearer(secret)).status_code == 401


def test_revoking_a_revoked_key_changes_nothing(owner: Visitor, key: ApiKey) -> None:
    revoke_key(key, CAST)
    assert owner.post(f"{PAGE}/{key.id}/revocation").location == PAGE


def test_an_app_is_added_and_waits_for_its_first_key(owner: Visitor, cast: Cast) -> None:
    answer = owner.post("/settings/apps/new", {"name": "Component Studio", "description": "Card exports"})
    assert answer.status_code == 303
    page = plain(owner.get(PAGE).text)
    assert "Component Studio is added" in page
    assert re.search(
        r"Component Studio .*Card exports .*Rename Component Studio .*No keys yet. "
        "Create a key for Component Studio",
        page,
    )


def test_an_app_needs_a_name_of_its_own(owner: Visitor, cast: Cast) -> None:
    for name, said in (
        ("", "Name the app"),
        ("x" * 101, "An app's name has at most 100 characters"),
        ("CI", "There is an app named 'CI' already. Choose another name."),
    ):
        answer = owner.post("/settings/apps/new", {"name": name, "description": "kept"})
        assert errors(answer) == ["The app is not added yet: 1 thing to change", said]
        assert 'value="kept"' in answer.text


def test_an_app_is_renamed(owner: Visitor, partner: Partner) -> None:
    app = create_app(partner, "Studio", "Old", CAST)
    question = owner.get(f"/settings/apps/{app.id}").text
    assert 'value="Studio"' in question
    answer = owner.post(f"/settings/apps/{app.id}", {"name": "Component Studio", "description": ""})
    assert answer.location == f"{PAGE}#{app.id}"
    afresh()
    assert db.session.get_one(App, app.id).name == "Component Studio"
    assert errors(owner.post(f"/settings/apps/{app.id}", {"name": "CI"}))[0].startswith("The app is not renamed yet")


def test_developers_see_the_keys_and_whom_to_ask(cast: Cast, signed_in: Callable[[str], Visitor], key: ApiKey) -> None:
    page = signed_in(cast.starlight.developer).get(PAGE).text
    assert key.hint in page
    assert "Only owners can create, roll and revoke keys Your role is developer. Ask Owner." in plain(page)
    for control in ("Roll", "Revoke", "Rename", "Create a key", "Add an app"):
        assert f">{control}" not in page


def test_without_a_key_the_page_says_what_one_is_for(owner: Visitor, cast: Cast) -> None:
    with writing() as session:
        for key in session.scalars(select(ApiKey)):
            session.delete(key)
        for app in session.scalars(select(App).where(App.name != "Dashboard")):
            session.delete(app)
    assert "No keys yet With a key, a script can send builds" in plain(owner.get(PAGE).text)
    answer = owner.post(PAGE, filled(owner))
    assert shown_secret(answer.text, "pp")


def test_the_number_of_queries_does_not_grow_with_the_keys(app: Flask, owner: Visitor, partner: Partner) -> None:
    def queries() -> int:
        count = 0

        def counted(*_: object) -> None:
            nonlocal count
            count += 1

        event.listen(db.engine, "before_cursor_execute", counted)
        owner.get(PAGE)
        event.remove(db.engine, "before_cursor_execute", counted)
        return count

    few = queries()
    for index in range(10):
        create_key(partner, f"App {index}", ["read"], CAST)
    assert queries() == few
