"""Open invitations: another role, another link, withdrawn."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from app.accounts import members
from app.web.frame.current_user import my_actor, my_partner, require_owner, require_sign_in
from app.web.frame.forms import FORM_REFUSALS, SingleUseForm
from app.web.settings.member_rows import Invited
from app.web.settings.members_page import RoleForm, invited_already, new_owner_question, show, show_refused
from app.web.settings.password_again import Question, asked_again

pages = Blueprint("invitations", __name__)
pages.before_request(require_sign_in)


@pages.post("/settings/members/invitations/<invitation_id>/role")
def change_role(invitation_id: str) -> ResponseReturnValue:
    """The role that accepting gives."""
    require_owner("Changing roles")
    form = RoleForm()
    invited = members.invitation_by_id(my_partner(), invitation_id)
    becomes_owner = form.role.data == "owner" and invited.role != "owner"
    if becomes_owner and (answer := asked_again(new_owner_question(invited.email))):
        return answer
    try:
        invitation = members.change_invited_role(my_partner(), invitation_id, form.role.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        return show_refused(form, refusal)
    flash(f"{invitation.email} is invited as {invitation.role} now")
    return redirect(url_for("members.page"), 303)


@pages.post("/settings/members/invitations/<invitation_id>/link")
def renew(invitation_id: str) -> ResponseReturnValue:
    """A new link in place of one that was lost."""
    require_owner("Inviting members")
    form = SingleUseForm()
    if not form.validate_on_submit():
        return show(form, status=422)
    invited = members.invitation_by_id(my_partner(), invitation_id)
    if invited.role == "owner" and (answer := asked_again(_renewal_question(invited.email, form))):
        return answer
    if not form.first_time():
        return invited_already()
    invitation, secret = members.renew_invitation(my_partner(), invitation_id, my_actor())
    return show(invited=Invited.of(invitation, secret))


@pages.post("/settings/members/invitations/<invitation_id>/withdrawal")
def withdraw(invitation_id: str) -> ResponseReturnValue:
    """Make the link useless."""
    require_owner("Withdrawing invitations")
    email = members.withdraw(my_partner(), invitation_id, my_actor())
    flash(f"The invitation of {email} is withdrawn")
    return redirect(url_for("members.page"), 303)


def _renewal_question(email: str, form: SingleUseForm) -> Question:
    return Question(
        heading=f"Make a new link for {email}?",
        lead="Whoever has the link becomes an owner of this partner. The link from before stops working.",
        button="Make new link",
        back=url_for("members.page"),
        sends={"number": form.number.data or ""},
    )
