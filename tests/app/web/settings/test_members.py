"""Members: invited by a link that is shown once, given roles, removed; and the owner who always stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from app.accounts.members import change_role, invite
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.base import now
from app.data.models.partner import Invitation, Member, Partner, SignIn
from tests.app.web.conftest import BOOSTED, ONE_DATABASE, Visitor
from tests.app.web.reading import afresh, errors, number, one_line, plain, shown_secret
from tests.conftest import CAST, PASSWORD, Cast

pytestmark = ONE_DATABASE

PAGE = "/settings/members"


@pytest.fixture
def partner(cast: Cast) -> Partner:
    return db.session.get_one(Partner, cast.starlight.partner_id)


def member(email: str) -> Member:
    afresh()
    return db.session.scalars(select(Member).where(Member.email == email)).one()


def row(page: str, words: str) -> str:
    """The words of the row of the table that holds `words`."""
    page = re.sub(r">\s+<", "><", page)
    found = [plain(each) for each in re.findall(r"<tr[ >].*?</tr>", page, re.DOTALL) if words in each]
    assert len(found) == 1, found
    return found[0]


def invitation_form(owner: Visitor, email: str = "noor@starlight.example", role: str = "developer") -> dict[str, str]:
    return {"email": email, "role": role, "number": number(owner.get(PAGE).text)}


def test_everybody_is_listed_with_role_and_when_they_were_seen(owner: Visitor, cast: Cast) -> None:
    with writing():
        member(cast.starlight.developer).last_seen_at = now() - timedelta(minutes=14)
    page = owner.get(PAGE).text
    assert "3 members" in page
    assert "owner@starlight.example Owner, the only one Now, this browser" in row(page, cast.starlight.owner)
    assert 'data-as="recent"' in page
    assert "Never Password link for Viewer Remove Viewer" in row(page, cast.starlight.viewer)


def test_search_role_and_order_are_in_the_address_and_in_those_of_actions(
    owner: Visitor, cast: Cast, partner: Partner
) -> None:
    invite(partner, "noor@starlight.example", "viewer", CAST)

    def emails(query: str) -> list[str]:
        return re.findall(r'<td role="cell" class="email soft">([^<]+@[^<]+)</td>', owner.get(PAGE + query).text)

    people = [cast.starlight.owner, cast.starlight.developer, cast.starlight.viewer, "noor@starlight.example"]
    assert emails("") == people
    assert emails("?sort=-role") == [*people[2::-1], people[3]]
    assert emails("?role=invited") == [people[3]]
    assert emails("?q=VIEWER@") == [cast.starlight.viewer]
    page = one_line(owner.get(f"{PAGE}?role=viewer&sort=-email").text)
    assert "All 4 Owners 1 Developers 1 Viewers 1 Invited 1" in plain(page)
    assert "3 members" in plain(page)
    assert 'aria-sort="descending"> <a id="sort-email"' in page
    kept = "?role=viewer&amp;sort=-email"
    for action in ("role", "password-link", "removal"):
        assert f"/{member(cast.starlight.viewer).id}/{action}{kept}" in page
    answer = owner.post(
        f"{PAGE}/{member(cast.starlight.viewer).id}/role?role=viewer&sort=-email", {"role": "developer"}
    )
    assert answer.location == f"{PAGE}?role=viewer&sort=-email"
    nothing = plain(owner.get(f"{PAGE}?role=viewer").text)
    assert "No members match “Viewers”. Clear the filter" in nothing


def test_confirming_the_password_comes_back_to_the_same_list(owner: Visitor, cast: Cast) -> None:
    url = f"{PAGE}/{member(cast.starlight.viewer).id}/role?q=view&sort=name"
    question = owner.post(url, {"role": "owner"}).text
    assert f'action="{url.replace("&", "&amp;")}"' in question
    answer = owner.post(url, {"role": "owner", "password": PASSWORD})
    assert answer.location == f"{PAGE}?q=view&sort=name"


def test_pages_of_members(owner: Visitor, partner: Partner) -> None:
    with writing() as session:
        for place in range(60):
            email, name = f"p{place:02}@starlight.example", f"Person {place:02}"
            session.add(Member(partner_id=partner.id, email=email, name=name, role="viewer", password_hash="x"))
    first = owner.get(f"{PAGE}?sort=email").text
    assert "People 1 to 50 of 63, email, A to Z" in plain(first)
    assert f'<a class="button" href="{PAGE}?page=2&amp;sort=email">Next</a>' in first
    second = owner.get(f"{PAGE}?page=2&sort=email").text
    assert len(re.findall(r'<tr [^>]*id="member_', first + second)) == 63
    assert f'href="{PAGE}?role=owner&amp;sort=email"' in second, "another filter begins at the first page"


def test_being_here_is_remembered_to_a_few_minutes(owner: Visitor, cast: Cast) -> None:
    with writing() as session:
        for here in (member(cast.starlight.owner), session.scalars(select(SignIn)).one()):
            here.last_seen_at = now() - timedelta(minutes=6)
    owner.get("/games")
    seen = member(cast.starlight.owner).last_seen_at
    assert seen is not None
    assert now() - seen < timedelta(seconds=30)
    owner.get("/games")
    assert member(cast.starlight.owner).last_seen_at == seen


def test_what_each_role_can_do_is_said(owner: Visitor) -> None:
    page = owner.get(PAGE).text
    assert row(page, '<strong>Owner</strong></th><td role="cell"><span').split() == [
        "Owner",
        "Yes",
        "Yes",
        "Yes",
        "Yes",
    ]
    assert row(page, '<strong>Developer</strong></th><td role="cell"><span').split() == [
        "Developer",
        "Yes",
        "Yes",
        "Yes",
        "No",
    ]
    assert row(page, '<strong>Viewer</strong></th><td role="cell"><span').split() == ["Viewer", "Yes", "No", "No", "No"]
    form = page[page.index('id="invite"') : page.index('id="who"')]
    assert 'aria-describedby="role-hint"' in form, "at the choice, not only in the table below"
    hint = re.search(r'<ul class="hint" id="role-hint">(.*?)</ul>', form, re.DOTALL)
    assert hint
    assert [line.strip() for line in re.findall("<li>(.*?)</li>", one_line(hint[1]))] == [
        "<strong>Owner</strong>: everything, with keys and members.",
        "<strong>Developer</strong>: sends builds and images, releases and rolls back.",
        "<strong>Viewer</strong>: sees games and servers, and changes nothing.",
        '<strong>Only uploading</strong>: an <a href="/settings/keys">API key</a> with the scope <code>upload</code> '
        "alone. Its builds go live only in games that release when ready.",
    ]


def test_inviting_shows_a_link_once_that_leads_to_an_account(owner: Visitor, visitor: Visitor, cast: Cast) -> None:
    answer = owner.post(PAGE, invitation_form(owner), headers=BOOSTED)
    assert answer.status_code == 200
    assert answer.headers["HX-Push-Url"] == PAGE
    secret = shown_secret(answer.text, "inv")
    assert secret
    assert f"http://localhost/invitations/{secret}" in answer.text
    assert "Copy the link for noor@starlight.example now This is the only time it is shown." in plain(answer.text)
    page = owner.get(PAGE).text
    assert secret not in page
    assert "1 invitation open" in page
    assert "Invited, expires" in row(page, "noor@starlight.example</td>")
    assert "Join Starlight Studio" in visitor.get(f"/invitations/{secret}").text


def test_sending_the_form_again_keeps_the_link_that_was_shown(owner: Visitor, visitor: Visitor, cast: Cast) -> None:
    form = invitation_form(owner)
    secret = shown_secret(owner.post(PAGE, form).text, "inv")
    again = owner.post(PAGE, form)
    assert (again.status_code, again.location) == (303, PAGE)
    assert "Create a new link if you have not copied it" in owner.get(PAGE).text
    assert visitor.get(f"/invitations/{secret}").status_code == 200


def test_what_cannot_be_invited_is_named_and_kept(owner: Visitor) -> None:
    for email, role, said in (
        ("", "viewer", "Enter an email address"),
        ("noor", "viewer", "'noor' is not an e-mail address."),
        (
            "viewer@starlight.example",
            "viewer",
            "viewer@starlight.example already has an account in this partner.",
        ),
        ("noor@starlight.example", "operator", "A role is one of owner, developer, viewer."),
    ):
        answer = owner.post(PAGE, invitation_form(owner, email, role))
        lines = errors(answer)
        assert lines[0] == "Nothing was changed yet: 1 thing to change"
        assert lines[1].startswith(said)
        assert f'value="{email}"' in answer.text
    afresh()
    assert db.session.scalar(select(func.count()).select_from(Invitation)) == 0


def test_a_lost_link_is_replaced(owner: Visitor, visitor: Visitor, partner: Partner) -> None:
    invitation, lost = invite(partner, "noor@starlight.example", "viewer", CAST)
    url = f"{PAGE}/invitations/{invitation.id}/link"
    answer = owner.post(url, {"number": number(owner.get(PAGE).text)})
    secret = shown_secret(answer.text, "inv")
    assert secret
    assert visitor.get(f"/invitations/{lost}").status_code == 404
    assert "as viewer" in visitor.get(f"/invitations/{secret}").text


def test_an_invitation_is_withdrawn(owner: Visitor, visitor: Visitor, partner: Partner) -> None:
    invitation, secret = invite(partner, "noor@starlight.example", "viewer", CAST)
    assert owner.post(f"{PAGE}/invitations/{invitation.id}/withdrawal").location == PAGE
    page = owner.get(PAGE).text
    assert "The invitation of noor@starlight.example is withdrawn" in page
    assert "invitation open" not in page
    assert visitor.get(f"/invitations/{secret}").status_code == 404


def test_the_role_of_an_invitation_is_changed(owner: Visitor, visitor: Visitor, partner: Partner) -> None:
    invitation, secret = invite(partner, "noor@starlight.example", "viewer", CAST)
    assert owner.post(f"{PAGE}/invitations/{invitation.id}/role", {"role": "developer"}).location == PAGE
    assert "noor@starlight.example is invited as developer now" in owner.get(PAGE).text
    assert "as developer" in visitor.get(f"/invitations/{secret}").text


def test_a_role_is_changed(owner: Visitor, cast: Cast) -> None:
    viewer = member(cast.starlight.viewer)
    assert owner.post(f"{PAGE}/{viewer.id}/role", {"role": "developer"}).location == PAGE
    assert member(cast.starlight.viewer).role == "developer"
    assert owner.post(f"{PAGE}/{viewer.id}/role", {"role": "owner", "password": PASSWORD}).location == PAGE
    page = owner.get(PAGE).text
    assert "Viewer is an owner now" in plain(page)
    assert member(cast.starlight.viewer).role == "owner"
    assert "the only one" not in page


def test_the_only_owner_cannot_be_anything_else(owner: Visitor, cast: Cast) -> None:
    own = member(cast.starlight.owner)
    page = row(owner.get(PAGE).text, cast.starlight.owner)
    assert "Save" not in page
    assert "Remove" not in page
    for path, form in ((f"{PAGE}/{own.id}/role", {"role": "viewer"}), (f"{PAGE}/{own.id}/removal", {})):
        answer = owner.post(path, form)
        assert errors(answer)[1] == "This is the only owner. Make somebody else an owner first."
        assert answer.headers["HX-Push-Url"] == PAGE
    assert member(cast.starlight.owner).role == "owner"


def test_roles_are_the_three(owner: Visitor, cast: Cast) -> None:
    viewer = member(cast.starlight.viewer)
    for role in ("", "operator", "king"):
        answer = owner.post(f"{PAGE}/{viewer.id}/role", {"role": role})
        assert errors(answer)[1] == "A role is one of owner, developer, viewer."
    assert member(cast.starlight.viewer).role == "viewer"


def test_removing_asks_first_and_signs_the_person_out(
    owner: Visitor, cast: Cast, signed_in: Callable[[str], Visitor]
) -> None:
    removed = signed_in(cast.starlight.viewer)
    url = f"{PAGE}/{member(cast.starlight.viewer).id}/removal"
    assert "viewer@starlight.example will be signed out and can no longer sign in." in plain(owner.get(url).text)
    assert removed.get("/games").status_code == 200
    assert owner.post(url).location == PAGE
    assert "Viewer is removed" in owner.get(PAGE).text
    assert removed.get("/games").location == "/sign-in?next=/games"


def test_an_owner_can_leave_when_another_stays(owner: Visitor, partner: Partner, cast: Cast) -> None:
    change_role(partner, member(cast.starlight.developer).id, "owner", CAST)
    url = f"{PAGE}/{member(cast.starlight.owner).id}/removal"
    assert "Leave Starlight Studio?" in plain(owner.get(url).text)
    assert owner.post(url).location == "/sign-in"
    assert owner.get("/games").location == "/sign-in?next=/games"


@pytest.mark.parametrize("role", ["developer", "viewer"])
def test_others_see_the_members_and_whom_to_ask(cast: Cast, signed_in: Callable[[str], Visitor], role: str) -> None:
    page = signed_in(getattr(cast.starlight, role)).get(PAGE).text
    assert cast.starlight.viewer in page
    assert f"Only owners can invite and remove members and change roles Your role is {role}. Ask Owner." in plain(page)
    assert 'name="role"' not in page
    assert "Remove" not in page


def test_the_number_of_queries_does_not_grow_with_the_members(app: Flask, owner: Visitor, partner: Partner) -> None:
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
        invite(partner, f"person{index}@starlight.example", "viewer", CAST)
    with writing() as session:
        for index in range(10):
            session.add(
                Member(
                    partner_id=partner.id,
                    email=f"more{index}@starlight.example",
                    name="More",
                    role="viewer",
                    password_hash="-",
                )
            )
    assert queries() == few


def test_whatever_makes_an_owner_asks_for_the_password_again(owner: Visitor, partner: Partner, cast: Cast) -> None:
    """Inviting one, making one of a member or an invitation, a new link for an invited one, a password link for one."""
    change_role(partner, member(cast.starlight.developer).id, "owner", CAST)
    viewer, other = member(cast.starlight.viewer).id, member(cast.starlight.developer).id
    invited, _ = invite(partner, "kai@starlight.example", "viewer", CAST)
    invited_owner, _ = invite(partner, "ira@starlight.example", "owner", CAST)
    for path, form, asked in (
        (PAGE, invitation_form(owner, role="owner"), "Invite noor@starlight.example as an owner?"),
        (f"{PAGE}/{viewer}/role", {"role": "owner"}, "Make Viewer an owner?"),
        (f"{PAGE}/invitations/{invited.id}/role", {"role": "owner"}, "Make kai@starlight.example an owner?"),
        (f"{PAGE}/invitations/{invited_owner.id}/link", {}, "Create a new link for ira@starlight.example?"),
        (f"{PAGE}/{other}/password-link", {}, "Create a password link for Developer?"),
    ):
        form = {"number": number(owner.get(PAGE).text)} | form
        before = deeds()
        question = owner.post(path, form)
        assert question.status_code == 422
        assert re.search(rf"<h1>\s*{re.escape(asked)}\s*</h1>", question.text)
        assert f'method="post" action="{path}"' in one_line(question.text)
        assert errors(owner.post(path, form | {"password": "wrong"}))[1:] == [
            "This is not your password. Nothing was changed."
        ]
        assert deeds() == before
        assert owner.post(path, form | {"password": PASSWORD}).status_code in {200, 303}
        assert len(deeds()) == len(before) + 1
    assert member(cast.starlight.viewer).role == "owner"


def test_the_question_sends_the_form_again(owner: Visitor) -> None:
    question = owner.post(PAGE, invitation_form(owner, role="owner"))
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', question.text))
    assert sent["email"] == "noor@starlight.example"
    assert shown_secret(owner.post(PAGE, sent | {"password": PASSWORD}).text, "inv")


def test_an_owner_does_not_learn_who_is_elsewhere(owner: Visitor, cast: Cast, visitor: Visitor) -> None:
    """Inviting and accepting go the same way for an address that signs in to another partner and for an unknown one."""
    for email in (cast.moonbase.owner, cast.operator, "nobody@nowhere.example"):
        answer = owner.post(PAGE, invitation_form(owner, email))
        secret = shown_secret(answer.text, "inv")
        assert secret
        joined = visitor.post(f"/invitations/{secret}", {"name": "Noor", "password": "a new long password"})
        assert (joined.status_code, joined.location) == (303, "/games")
        assert "Starlight Studio" in visitor.get("/games").text
    assert owner.post("/settings/partner", {"name": "Moonbase"}).location == "/settings/partner"
    assert owner.post("/settings/partner", {"name": "Nothing There"}).location == "/settings/partner"


def deeds() -> list[str]:
    afresh()
    return list(db.session.scalars(select(AuditEntry.action)))
