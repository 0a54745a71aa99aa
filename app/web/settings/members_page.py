"""The people of a partner: who they are, what they may do, and inviting one more."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, SelectField
from wtforms.validators import InputRequired, Length

from app.accounts import members
from app.refusals import Refusal
from app.web.accounts.new_password import NewPasswordLink
from app.web.frame.browser_sign_in import sign_out_browser
from app.web.frame.current_user import me, my_actor, my_partner, owner_names, require_owner, require_sign_in
from app.web.frame.formats import counted
from app.web.frame.forms import FORM_REFUSALS, Headers, SingleUseForm, select_choices, show_refusal, summary_title
from app.web.settings.confirm_question import ask
from app.web.settings.member_rows import DEEDS, MAY, Invited, invitation_line, member_lines
from app.web.settings.password_again import Question, asked_again

pages = Blueprint("members", __name__)
pages.before_request(require_sign_in)

ROLES = {role: role.capitalize() for role in members.PARTNER_ROLES}


class InviteForm(SingleUseForm):
    email = EmailField(
        "Email",
        [InputRequired("Enter an email address"), Length(max=254, message="An address has at most 254 characters")],
    )
    role = SelectField("Role", choices=select_choices(ROLES), default="developer", validate_choice=False)


class RoleForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    role = SelectField("Role", choices=select_choices(ROLES), validate_choice=False)


@pages.get("/settings/members")
def page() -> ResponseReturnValue:
    """Everybody, open invitations, and what each role can do."""
    return show()


@pages.post("/settings/members")
def invite() -> ResponseReturnValue:
    """Make an invitation. Its link is in the answer itself: it is stored nowhere, so no redirect can bring it."""
    require_owner("Inviting members")
    form = InviteForm()
    if not form.validate_on_submit():
        return show(form, status=422)
    if form.role.data == "owner" and (answer := asked_again(_owner_question(form))):
        return answer
    if not form.first_time():
        return invited_already()
    try:
        invitation, secret = members.invite(my_partner(), form.email.data or "", form.role.data, my_actor())
    except FORM_REFUSALS as refusal:
        form.renew()
        status, headers = show_refusal(form, refusal)
        return show(form, status=status, headers=headers)
    return show(invited=Invited.of(invitation, secret))


@pages.post("/settings/members/<member_id>/role")
def change_role(member_id: str) -> ResponseReturnValue:
    """Give a member another role."""
    require_owner("Changing roles")
    form = RoleForm()
    person = members.member_of(my_partner(), member_id)
    becomes_owner = form.role.data == "owner" and person.role != "owner"
    if becomes_owner and (answer := asked_again(new_owner_question(person.name))):
        return answer
    try:
        member = members.change_role(my_partner(), member_id, form.role.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        return show_refused(form, refusal)
    flash(f"{'You are' if member.id == me().id else f'{member.name} is'} {_article(member.role)} now")
    return redirect(url_for("members.page"), 303)


@pages.get("/settings/members/<member_id>/removal")
def remove_form(member_id: str) -> ResponseReturnValue:
    """What removing does."""
    require_owner("Removing members")
    member = members.member_of(my_partner(), member_id)
    return ask(
        "settings/member_remove.html",
        back=url_for("members.page"),
        form=FlaskForm(),
        person=member,
        partner=my_partner(),
    )


@pages.post("/settings/members/<member_id>/removal")
def remove(member_id: str) -> ResponseReturnValue:
    """End a membership; who ends their own is signed out by it."""
    require_owner("Removing members")
    member = members.member_of(my_partner(), member_id)
    leaving, name = member.id == me().id, member.name
    try:
        members.remove_member(my_partner(), member_id, my_actor())
    except FORM_REFUSALS as refusal:
        return show_refused(RoleForm(), refusal)
    if leaving:
        sign_out_browser()
        return redirect(url_for("sign_in.form"), 303)
    flash(f"{name} is removed")
    return redirect(url_for("members.page"), 303)


def show(
    form: FlaskForm | None = None,
    *,
    invited: Invited | None = None,
    password_link: NewPasswordLink | None = None,
    status: int = 200,
    headers: Headers | None = None,
) -> ResponseReturnValue:
    """The page; with the form that needs a change, or with the link that was just made."""
    partner, is_owner = my_partner(), me().role == "owner"
    people, invitations = members.members_of(partner), members.open_invitations(partner)
    page = render_template(
        "settings/members.html",
        partner=partner,
        is_owner=is_owner,
        owners=[] if is_owner else owner_names(partner),
        invited=invited,
        password_link=password_link,
        form=form,
        problem=summary_title(form, "Nothing was changed yet") if form else "",
        invite=form if isinstance(form, InviteForm) else InviteForm(formdata=None),
        once=SingleUseForm(formdata=None),
        lines=member_lines(people),
        invitations=[invitation_line(invitation) for invitation in invitations],
        heading=counted(len(people), "member"),
        open_words=f"{counted(len(invitations), 'invitation')} open" if invitations else "",
        roles=ROLES,
        deeds=DEEDS,
        may=MAY,
    )
    # Loading the address again must show the page, and not ask whether to send a form again.
    pushed = {"HX-Push-Url": url_for("members.page")} if form or invited or password_link else {}
    return page, status, pushed | (headers or {})


def show_refused(form: FlaskForm, refusal: Refusal) -> ResponseReturnValue:
    """The page, saying why a button of a row did nothing."""
    status, headers = show_refusal(form, refusal)
    return show(form, status=status, headers=headers)


def invited_already() -> ResponseReturnValue:
    """What a form gets that was answered before."""
    flash("This link was made a moment ago. It is shown only once: make a new link if it was not copied.")
    return redirect(url_for("members.page"), 303)


def new_owner_question(whom: str) -> Question:
    """Asked before somebody else can do everything that an owner can. The role is in the form that is sent again."""
    return Question(
        heading=f"Make {whom} an owner?",
        lead="Owners can do everything in this partner: they invite and remove members, you too, and make API keys.",
        button="Make owner",
        back=url_for("members.page"),
        sends={"role": "owner"},
    )


def _owner_question(form: InviteForm) -> Question:
    whom = (form.email.data or "").strip()
    return replace(
        new_owner_question(whom),
        heading=f"Invite {whom} as an owner?",
        button="Make invitation",
        sends={"email": whom, "role": "owner", "number": form.number.data or ""},
    )


def _article(role: str) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"
