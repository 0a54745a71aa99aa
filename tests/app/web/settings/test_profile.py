"""One's own name, password and sessions."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask

from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import errors, plain
from tests.conftest import PASSWORD, Cast

pytestmark = ONE_DATABASE

NEW = "a new long password"


def test_members_and_operators_have_a_profile(cast: Cast, signed_in: Callable[[str], Visitor]) -> None:
    assert "You are an owner of Starlight Studio." in plain(signed_in(cast.starlight.owner).get("/profile").text)
    assert "You are a viewer of Starlight Studio." in plain(signed_in(cast.starlight.viewer).get("/profile").text)
    assert "You are an operator." in plain(signed_in(cast.operator).get("/profile").text)


def test_a_name_is_changed_by_its_bearer_whatever_their_role(viewer: Visitor) -> None:
    assert viewer.post("/profile/name", {"name": " Sam Whitlock "}).location == "/profile"
    page = viewer.get("/profile").text
    assert "Your name is now Sam Whitlock" in page
    assert 'value="Sam Whitlock"' in page


def test_a_name_has_limits(owner: Visitor) -> None:
    for name, said in ((" ", "Enter your name"), ("x" * 151, "A name has at most 150 characters")):
        answer = owner.post("/profile/name", {"name": name})
        assert errors(answer) == ["Your name is not changed yet: 1 thing to change", said]
        assert answer.headers["HX-Push-Url"] == "/profile"


def test_a_new_password_signs_out_other_browsers_and_keeps_this_one(
    cast: Cast, signed_in: Callable[[str], Visitor], visitor: Visitor
) -> None:
    here, elsewhere = signed_in(cast.starlight.owner), signed_in(cast.starlight.owner)
    assert here.post("/profile/password", {"password": PASSWORD, "new_password": NEW}).location == "/profile"
    assert "Your password is changed. Other browsers are signed out." in here.get("/profile").text
    assert here.get("/games").status_code == 200
    assert elsewhere.get("/games").location == "/sign-in?next=/games"
    assert visitor.sign_in(cast.starlight.owner).status_code == 422
    assert visitor.sign_in(cast.starlight.owner, NEW).status_code == 303


def test_a_password_is_changed_with_the_present_one(owner: Visitor, visitor: Visitor, cast: Cast) -> None:
    for present, new, said, field in (
        ("", NEW, "Enter your password", "password"),
        ("wrong wrong", NEW, "This is not your password. Nothing was changed.", "password"),
        (PASSWORD, "", "Choose a password", "new_password"),
        (PASSWORD, "eleven char", "The password needs at least 12 characters", "new_password"),
        (PASSWORD, "x" * 1001, "A password has at most 1,000 characters", "new_password"),
    ):
        answer = owner.post("/profile/password", {"password": present, "new_password": new})
        assert errors(answer) == ["Your password is not changed yet: 1 thing to change", said]
        assert f'aria-describedby="{"" if field == "password" else "new_password-hint "}{field}-error"' in answer.text
        assert NEW not in answer.text
    assert visitor.sign_in(cast.starlight.owner).status_code == 303


@pytest.mark.settings(SLIPWAY_SIGN_IN_RATE="2 per 5 minutes")
def test_wrong_passwords_have_to_wait(owner: Visitor) -> None:
    for _ in range(2):
        assert owner.post("/profile/password", {"password": "wrong", "new_password": NEW}).status_code == 422
    answer = owner.post("/profile/password", {"password": PASSWORD, "new_password": NEW})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 300


def lines(page: str) -> list[str]:
    """The words of each browser that is listed."""
    found = re.search(r'<ul class="panel sign-ins">(.*?)</ul>', page, re.DOTALL)
    assert found, page
    return [plain(each) for each in re.findall(r"<li>.*?</li>", found[1], re.DOTALL)]


def ends(page: str) -> list[str]:
    return re.findall(r'action="(/profile/sign-ins/[^"]+/end)"', page)


def test_every_browser_is_listed_and_this_one_marked(owner: Visitor, app: Flask, cast: Cast) -> None:
    phone = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 CriOS/130.0 Mobile Safari/604.1"
    )
    elsewhere = Visitor(app.test_client())
    form = {"email": cast.starlight.owner, "password": PASSWORD}
    elsewhere.post("/sign-in", form, headers={"User-Agent": phone}, environ_base={"REMOTE_ADDR": "198.51.100.7"})
    here, there = sorted(lines(owner.get("/profile").text), key=lambda line: "this browser" not in line)
    assert there.strip().startswith("Chrome on iPhone 198.51.100.7 · since")
    assert "last seen" in there
    assert "127.0.0.1 · since" in here


def test_one_browser_is_signed_out_from_another(
    owner: Visitor, signed_in: Callable[[str], Visitor], cast: Cast, viewer: Visitor
) -> None:
    elsewhere = signed_in(cast.starlight.owner)
    page = owner.get("/profile").text
    own = re.search(r'action="(/profile/sign-ins/[^"]+/end)" hx-boost="false"', page)
    assert own
    (other,) = set(ends(page)) - {own[1]}
    assert viewer.post(other).status_code == 404
    assert elsewhere.get("/games").status_code == 200
    assert owner.post(other).location == "/profile#your-sign-ins"
    assert elsewhere.get("/games").location == "/sign-in?next=/games"
    page = owner.get("/profile").text
    assert "is signed out" in page
    assert len(lines(page)) == 1
    assert owner.post(own[1]).location == "/sign-in"
    assert owner.get("/games").location == "/sign-in?next=/games"


def test_signing_out_everywhere_ends_every_session(cast: Cast, signed_in: Callable[[str], Visitor]) -> None:
    here, elsewhere = signed_in(cast.starlight.viewer), signed_in(cast.starlight.viewer)
    assert here.post("/profile/sign-out").location == "/sign-in"
    for browser in (here, elsewhere):
        assert browser.get("/games").location == "/sign-in?next=/games"


def test_the_account_menu_leads_here(owner: Visitor) -> None:
    page = owner.get("/games").text
    assert re.search(r'href="/profile">Profile</a>\s*<a class="item" href="/reference">API reference</a>', page)
