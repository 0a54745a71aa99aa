"""Partners as operators see them: the list, making one with its first owner, quotas."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from app.accounts.partners import set_build_quota
from app.config.settings import GIB
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Game
from app.data.models.partner import Invitation, Member, Partner
from tests.app.fleet.counting import statements
from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.scenes import GB, Sent
from tests.conftest import CAST, PASSWORD, Cast

pytestmark = ONE_DATABASE
PAGE = "/operator/partners"
NEW = f"{PAGE}/new"


@pytest.fixture
def operator(cast: Cast, signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in(cast.operator)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.unescape(text).replace("\u00a0", " "))).strip()


def line(page: str, partner_id: str) -> str:
    found = re.search(rf'<tr role="row" id="{partner_id}">.*?</tr>', page, re.DOTALL)
    assert found, page
    return plain(found[0])


def number(page: str) -> dict[str, str]:
    found = re.search(r'name="number"[^>]* value="([^"]+)"', page)
    assert found, page
    return {"number": found[1]}


def shown_link(page: str) -> str:
    found = re.search(r"http://localhost(/invitations/inv_[\w-]+)", html.unescape(page))
    assert found, page
    return found[1]


def partner(name: str) -> Partner | None:
    db.session.rollback()
    return db.session.scalar(select(Partner).where(Partner.name == name).execution_options(populate_existing=True))


def make(operator: Visitor, **more: str) -> str:
    form = (
        {"name": "Kite Works", "email": "ada@kite.example", "quota": "", "password": PASSWORD}
        | number(operator.get(NEW).text)
        | more
    )
    answer = operator.post(NEW, form)
    assert answer.status_code == 200, answer.text
    return answer.text


# --- the list


def test_every_partner_is_listed_with_what_it_has(operator: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(GB), Sent(2 * GB)])
    page = operator.get(PAGE).text
    assert "2 partners" in plain(page)
    assert "Starlight Studio 1 game 3 members 2.8 GiB No limit" in line(page, cast.starlight.partner_id)
    assert "Moonbase 0 games 3 members 0 B No limit" in line(page, cast.moonbase.partner_id)


def test_a_deleted_game_counts_with_its_bytes_until_they_are_gone(operator: Visitor, cast: Cast) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(GB)])
    scenes.delete(game_id)
    assert "0 games 3 members 954 MiB" in line(operator.get(PAGE).text, cast.starlight.partner_id)
    assert db.session.get(Game, game_id)


def test_a_quota_is_a_meter_with_its_numbers(operator: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(GIB)])
    operator.post(f"{PAGE}/{cast.starlight.partner_id}/quota", {"quota": "1.05"})
    page = operator.get(PAGE).text
    assert "95 % of 1,127,428,915 B" in line(page, cast.starlight.partner_id)
    assert re.search(r'value="95"\s+aria-label="Quota of Starlight Studio"', page)
    assert 'class="percent bad"' in page


def test_the_list_costs_the_same_for_many_as_for_few(operator: Visitor, cast: Cast) -> None:
    def queries() -> int:
        with statements() as sent:
            assert operator.get(PAGE).status_code == 200
        return sent.queries

    few = queries()
    for each in range(8):
        make(operator, name=f"Studio {each}", email=f"owner@studio-{each}.example")
    assert queries() == few <= 8


# --- making one


def test_a_partner_is_made_and_its_first_owner_joins_by_the_link(
    operator: Visitor, visitor: Visitor, cast: Cast
) -> None:
    page = make(operator, quota="250")
    assert "<h1>Kite Works is created</h1>" in page
    made = partner("Kite Works")
    assert made
    assert made.build_quota_bytes == 250 * GIB
    listed = operator.get(PAGE).text
    assert "No owner yet" in line(listed, made.id)
    assert shown_link(page) not in listed + operator.get(f"{PAGE}/{made.id}").text
    answer = visitor.post(shown_link(page), {"name": "Ada Kite", "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    db.session.rollback()
    owner = db.session.scalar(select(Member).where(Member.email == "ada@kite.example"))
    assert owner
    assert (owner.role, owner.partner_id) == ("owner", made.id)
    assert "No owner yet" not in operator.get(PAGE).text


def test_a_form_that_is_sent_twice_makes_one_partner(operator: Visitor, cast: Cast) -> None:
    once = number(operator.get(NEW).text)
    make(operator, **once)
    answer = operator.post(NEW, {"name": "Kite Works", "email": "ada@kite.example", "password": PASSWORD} | once)
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert db.session.scalar(select(func.count()).where(Partner.name == "Kite Works")) == 1


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "Name the partner"),
        ("name", "starlight STUDIO", "A partner named “starlight STUDIO” exists already"),
        ("name", "x" * 151, "A name has at most 150 characters"),
        ("email", "", "Enter an email address"),
        ("email", "nobody", "nobody"),
        ("quota", "a lot", "Enter a number of GiB such as 250 or 0.5"),
        ("quota", "-1", "Enter a number of GiB such as 250 or 0.5"),
        ("quota", "1e5", "Enter a number of GiB such as 250 or 0.5"),
        ("quota", "9" * 12, "Enter a number of GiB such as 250 or 0.5"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_nothing_is_made(
    operator: Visitor, cast: Cast, field: str, value: str, said: str
) -> None:
    before = db.session.scalar(select(func.count()).select_from(Partner))
    form = {"name": "Kite Works", "email": "ada@kite.example", "quota": "7"} | number(operator.get(NEW).text)
    answer = operator.post(NEW, form | {"password": PASSWORD, field: value})
    assert answer.status_code == 422
    assert "The partner is not created yet: 1 thing to change" in answer.text
    assert re.search(rf'<p class="error" id="{field}-error">.*?{re.escape(said)}', answer.text, re.DOTALL), answer.text
    for name, kept in (form | {field: value}).items():
        assert name == "number" or f'value="{html.escape(kept)}"' in answer.text
    assert db.session.scalar(select(func.count()).select_from(Partner)) == before
    assert db.session.scalar(select(func.count()).select_from(Invitation)) == 0


# --- one partner


def test_a_partner_has_a_page_with_its_people(operator: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(GB)])
    text = plain(operator.get(f"{PAGE}/{cast.starlight.partner_id}").text)
    assert "954 MiB used, no limit" in text
    assert "3 members" in text
    for email in (cast.starlight.owner, cast.starlight.developer, cast.starlight.viewer):
        assert email in text
    assert cast.moonbase.owner not in text


def test_an_unknown_partner_is_not_found(operator: Visitor, cast: Cast) -> None:
    assert operator.get(f"{PAGE}/partner_none").status_code == 404
    assert operator.post(f"{PAGE}/partner_none/quota", {"quota": "1"}).status_code == 404
    assert operator.post(f"{PAGE}/partner_none/invitations", {"email": "a@b.example"}).status_code == 404


def test_a_quota_is_set_and_taken_away(operator: Visitor, cast: Cast) -> None:
    page = f"{PAGE}/{cast.starlight.partner_id}"
    answer = operator.post(f"{page}/quota", {"quota": " 0.5 "})
    assert (answer.status_code, answer.location) == (303, page)
    assert quota(cast) == GIB // 2
    shown = operator.get(page).text
    assert "Starlight Studio can store 512\u00a0MiB of builds" in shown
    assert 'value="0.5"' in shown
    assert "0 of 512\u00a0MiB used" in shown
    operator.post(f"{page}/quota", {"quota": ""})
    assert quota(cast) is None
    assert db.session.scalar(select(func.count()).where(AuditEntry.action == "partner.quota_set")) == 2


def quota(cast: Cast) -> int | None:
    db.session.rollback()
    return db.session.get_one(Partner, cast.starlight.partner_id, populate_existing=True).build_quota_bytes


@pytest.mark.parametrize("amount", [1, 250_000_000_000, 3 * GIB, 2**52 + 1])
def test_a_quota_that_is_saved_unchanged_stays_the_same(operator: Visitor, cast: Cast, amount: int) -> None:
    page = f"{PAGE}/{cast.starlight.partner_id}"
    set_build_quota(db.session.get_one(Partner, cast.starlight.partner_id), amount, CAST)
    shown = re.search(r'name="quota"[^>]* value="([^"]*)"', operator.get(page).text)
    assert shown
    operator.post(f"{page}/quota", {"quota": shown[1]})
    assert quota(cast) == amount


def test_a_quota_that_is_no_number_is_refused_and_kept(operator: Visitor, cast: Cast) -> None:
    answer = operator.post(f"{PAGE}/{cast.starlight.partner_id}/quota", {"quota": "lots"})
    assert answer.status_code == 422
    assert "The quota is not set yet: 1 thing to change" in answer.text
    assert 'value="lots"' in answer.text
    assert quota(cast) is None


def test_an_owner_is_invited_with_a_link_shown_once(operator: Visitor, cast: Cast) -> None:
    page = f"{PAGE}/{cast.starlight.partner_id}"
    form = {"email": "new@starlight.example", "password": PASSWORD} | number(operator.get(page).text)
    answer = operator.post(f"{page}/invitations", form)
    assert answer.status_code == 200
    link = shown_link(answer.text)
    again = operator.post(f"{page}/invitations", form)
    assert (again.status_code, again.location) == (303, page)
    shown = operator.get(page).text
    assert link not in shown
    assert "new@starlight.example" in shown
    found = db.session.scalar(select(Invitation).where(Invitation.email == "new@starlight.example"))
    assert found
    assert (found.role, found.partner_id) == ("owner", cast.starlight.partner_id)


@pytest.mark.parametrize("email", ["", "nobody", "owner@starlight.example"])
def test_an_address_that_cannot_be_invited_is_said(operator: Visitor, cast: Cast, email: str) -> None:
    page = f"{PAGE}/{cast.starlight.partner_id}"
    answer = operator.post(
        f"{page}/invitations", {"email": email, "password": PASSWORD} | number(operator.get(page).text)
    )
    assert answer.status_code == 422
    assert "Nobody is invited yet: 1 thing to change" in answer.text
    assert f'value="{email}"' in answer.text
    assert db.session.scalar(select(func.count()).select_from(Invitation)) == 0


def test_what_lets_an_owner_in_asks_for_the_password_again(operator: Visitor, cast: Cast) -> None:
    page = f"{PAGE}/{cast.starlight.partner_id}"
    for path, form in (
        (NEW, {"name": "Kite Works", "email": "ada@kite.example", "quota": ""} | number(operator.get(NEW).text)),
        (f"{page}/invitations", {"email": "new@starlight.example"} | number(operator.get(page).text)),
    ):
        for password, said in (
            ("", "Enter your password"),
            ("wrong", "This is not your password. Nothing was changed."),
        ):
            answer = operator.post(path, form | {"password": password})
            assert answer.status_code == 422
            assert said in answer.text
    assert partner("Kite Works") is None
    assert db.session.scalar(select(func.count()).select_from(Invitation)) == 0


def test_an_address_that_signs_in_elsewhere_is_invited(operator: Visitor, cast: Cast) -> None:
    page = f"{PAGE}/{cast.starlight.partner_id}"
    form = {"email": cast.moonbase.owner, "password": PASSWORD} | number(operator.get(page).text)
    assert shown_link(operator.post(f"{page}/invitations", form).text)
