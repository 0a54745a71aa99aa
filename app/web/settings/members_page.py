"""The members of a partner: the list, invitations, roles and removal."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField

from app.accounts import members
from app.accounts.directory.member_list import INVITED, MEMBERS_PER_PAGE, list_members
from app.refusals import Refusal
from app.web.accounts.new_password import NewPasswordLink
from app.web.frame.browser_sign_in import sign_out_browser
from app.web.frame.current_user import me, my_actor, my_partner, owner_names, require_owner, require_sign_in
from app.web.frame.formats import counted
from app.web.frame.forms import FORM_REFUSALS, Headers, SingleUseForm, select_choices, show_refusal, summary_title
from app.web.lists.list_address import order_words
from app.web.lists.numbered_pages import numbered_page
from app.web.settings.confirm_question import render_question
from app.web.settings.member_filters import (
    MEMBER_SORTS,
    ROLE_FILTERS,
    active_member_filters,
    member_filter,
    members_url,
    requested_members,
)
from app.web.settings.member_rows import CAPABILITIES, ROLE_CAPABILITIES, NewInvitation, invitation_lines, member_lines
from app.web.settings.password_confirmation import PasswordQuestion, require_password
from app.web.settings.text_fields import email_field

pages = Blueprint("members", __name__)
pages.before_request(require_sign_in)

ROLES = {role: role.capitalize() for role in members.PARTNER_ROLES}
# The table of the page in short, at the choice.
ROLE_HINTS = {
    "Owner": "everything, with keys and members",
    "Developer": "sends builds and images, releases and rolls back",
    "Viewer": "sees games and servers, and changes nothing",
}


class InviteForm(SingleUseForm):
    email = email_field()
    role = SelectField("Role", choices=select_choices(ROLES), default="developer", validate_choice=False)


class RoleForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    role = SelectField("Role", choices=select_choices(ROLES), validate_choice=False)


@pages.get("/settings/members")
def page() -> ResponseReturnValue:
    """Members, open invitations, and what each role can do."""
    return render_members()


@pages.post("/settings/members")
def invite() -> ResponseReturnValue:
    """Make an invitation. Its link is stored nowhere, so this response shows it, without a redirect."""
    require_owner("Inviting members")
    form = InviteForm()
    if not form.validate_on_submit():
        return render_members(form, status=422)
    if form.role.data == "owner" and (answer := require_password(_owner_question(form))):
        return answer
    if not form.first_time():
        return already_invited()
    try:
        invitation, secret = members.invite(my_partner(), form.email.data or "", form.role.data, my_actor())
    except FORM_REFUSALS as refusal:
        form.renew()
        status, headers = show_refusal(form, refusal)
        return render_members(form, status=status, headers=headers)
    return render_members(invited=NewInvitation.of(invitation, secret))


@pages.post("/settings/members/<member_id>/role")
def change_role(member_id: str) -> ResponseReturnValue:
    """Give a member another role."""
    require_owner("Changing roles")
    form = RoleForm()
    member = members.member_of(my_partner(), member_id)
    becomes_owner = form.role.data == "owner" and member.role != "owner"
    if becomes_owner and (answer := require_password(new_owner_question(member.name))):
        return answer
    try:
        member = members.change_role(my_partner(), member_id, form.role.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        return render_refusal(form, refusal)
    flash(f"{'You are' if member.id == me().id else f'{member.name} is'} {_article(member.role)} now")
    return redirect(members_url(), 303)


@pages.get("/settings/members/<member_id>/removal")
def remove_form(member_id: str) -> ResponseReturnValue:
    """The confirmation form for removing a member."""
    require_owner("Removing members")
    member = members.member_of(my_partner(), member_id)
    return render_question(
        "settings/member_remove.html",
        back=members_url(),
        form=FlaskForm(),
        person=member,
        partner=my_partner(),
        kept=requested_members().kept,
    )


@pages.post("/settings/members/<member_id>/removal")
def remove(member_id: str) -> ResponseReturnValue:
    """Remove a member. Members that remove themselves are signed out."""
    require_owner("Removing members")
    member = members.member_of(my_partner(), member_id)
    leaving, name = member.id == me().id, member.name
    try:
        members.remove_member(my_partner(), member_id, my_actor())
    except FORM_REFUSALS as refusal:
        return render_refusal(RoleForm(), refusal)
    if leaving:
        sign_out_browser()
        return redirect(url_for("sign_in.form"), 303)
    flash(f"{name} is removed")
    return redirect(members_url(), 303)


def render_members(
    form: FlaskForm | None = None,
    *,
    invited: NewInvitation | None = None,
    password_link: NewPasswordLink | None = None,
    status: int = 200,
    headers: Headers | None = None,
) -> ResponseReturnValue:
    """Render the page, with a form that has errors, or with a link that was just made."""
    partner, is_owner = my_partner(), me().role == "owner"
    address = requested_members()
    found = list_members(partner, member_filter(address))
    order = order_words(address.value("sort"), MEMBER_SORTS)
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
        lines=member_lines(found.people, found.counts["owner"]),
        invitations=invitation_lines(found.people),
        heading=counted(found.members, "member"),
        open_words=f"{counted(found.counts[INVITED], 'invitation')} open" if found.counts[INVITED] else "",
        address=address,
        kept=address.kept,
        filters=active_member_filters(address),
        segments=address.links("role", ROLE_FILTERS, found.counts | {"": found.counts.total()}),
        heads=address.heads(MEMBER_SORTS),
        sorts=MEMBER_SORTS,
        numbered=numbered_page("people", found.matching, MEMBERS_PER_PAGE, order, address),
        roles=ROLES,
        role_hints=ROLE_HINTS,
        capabilities=CAPABILITIES,
        role_capabilities=ROLE_CAPABILITIES,
    )
    # A reload must show the page, and not ask to send the form again.
    pushed = {"HX-Push-Url": members_url()} if form or invited or password_link else {}
    return page, status, pushed | (headers or {})


def render_refusal(form: FlaskForm, refusal: Refusal) -> ResponseReturnValue:
    """Render the page, with the reason why an action was refused."""
    status, headers = show_refusal(form, refusal)
    return render_members(form, status=status, headers=headers)


def already_invited() -> ResponseReturnValue:
    """The response to a form that is sent a second time."""
    flash("This link was already created, and is shown only once. Create a new link if you have not copied it.")
    return redirect(members_url(), 303)


def new_owner_question(name: str) -> PasswordQuestion:
    """The question before a member becomes an owner."""
    return PasswordQuestion(
        heading=f"Make {name} an owner?",
        lead="Owners can do everything in this partner. "
        "They can create API keys, and invite and remove members, including you.",
        button="Make owner",
        back=members_url(),
        fields={"role": "owner"},
    )


def _owner_question(form: InviteForm) -> PasswordQuestion:
    name = (form.email.data or "").strip()
    return replace(
        new_owner_question(name),
        heading=f"Invite {name} as an owner?",
        button="Create invitation",
        fields={"email": name, "role": "owner", "number": form.number.data or ""},
    )


def _article(role: str) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"
