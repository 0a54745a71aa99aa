"""Actions on open invitations: change the role, make a new link, withdraw."""

from __future__ import annotations

from flask import Blueprint, flash, redirect
from flask.typing import ResponseReturnValue

from app.accounts import members
from app.web.frame.current_user import my_actor, my_partner, require_owner, require_sign_in
from app.web.frame.forms import FORM_REFUSALS, SingleUseForm
from app.web.settings.member_filters import members_url
from app.web.settings.member_rows import NewInvitation
from app.web.settings.members_page import RoleForm, already_invited, new_owner_question, render_members, render_refusal
from app.web.settings.password_confirmation import PasswordQuestion, require_password

pages = Blueprint("invitations", __name__)
pages.before_request(require_sign_in)


@pages.post("/settings/members/invitations/<invitation_id>/role")
def change_role(invitation_id: str) -> ResponseReturnValue:
    """Change the role of the future member."""
    require_owner("Changing roles")
    form = RoleForm()
    invited = members.invitation_by_id(my_partner(), invitation_id)
    becomes_owner = form.role.data == "owner" and invited.role != "owner"
    if becomes_owner and (answer := require_password(new_owner_question(invited.email))):
        return answer
    try:
        invitation = members.change_invited_role(my_partner(), invitation_id, form.role.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        return render_refusal(form, refusal)
    flash(f"{invitation.email} is invited as {invitation.role} now")
    return redirect(members_url(), 303)


@pages.post("/settings/members/invitations/<invitation_id>/link")
def renew(invitation_id: str) -> ResponseReturnValue:
    """Replace a lost link."""
    require_owner("Inviting members")
    form = SingleUseForm()
    if not form.validate_on_submit():
        return render_members(form, status=422)
    invited = members.invitation_by_id(my_partner(), invitation_id)
    if invited.role == "owner" and (answer := require_password(_renewal_question(invited.email, form))):
        return answer
    if not form.first_time():
        return already_invited()
    invitation, secret = members.renew_invitation(my_partner(), invitation_id, my_actor())
    return render_members(invited=NewInvitation.of(invitation, secret))


@pages.post("/settings/members/invitations/<invitation_id>/withdrawal")
def withdraw(invitation_id: str) -> ResponseReturnValue:
    """Withdraw the invitation. Its link stops working."""
    require_owner("Withdrawing invitations")
    email = members.withdraw(my_partner(), invitation_id, my_actor())
    flash(f"The invitation of {email} is withdrawn")
    return redirect(members_url(), 303)


def _renewal_question(email: str, form: SingleUseForm) -> PasswordQuestion:
    return PasswordQuestion(
        heading=f"Create a new link for {email}?",
        lead="Anybody who has the link can become an owner of this partner. The old link stops working.",
        button="Create new link",
        back=members_url(),
        fields={"number": form.number.data or ""},
    )
