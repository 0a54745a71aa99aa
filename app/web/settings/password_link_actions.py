"""Password links, for members who forgot their password."""

from __future__ import annotations

from flask import Blueprint, flash, redirect
from flask.typing import ResponseReturnValue

from app.accounts.members import member_of
from app.accounts.password_links import link_for_member
from app.web.accounts.new_password import NewPasswordLink
from app.web.frame.current_user import my_actor, my_partner, require_owner, require_sign_in
from app.web.frame.forms import SingleUseForm
from app.web.settings.member_filters import members_url
from app.web.settings.members_page import render_members
from app.web.settings.password_confirmation import password_link_question, require_password

pages = Blueprint("passwords", __name__)
pages.before_request(require_sign_in)


@pages.post("/settings/members/<member_id>/password-link")
def make(member_id: str) -> ResponseReturnValue:
    """Make a link. Only its fingerprint is stored, so this response shows it."""
    require_owner("Creating password links")
    partner, form = my_partner(), SingleUseForm()
    member = member_of(partner, member_id)  # first, so that a form for somebody else's member is not used up
    if not form.validate_on_submit():
        return render_members(form, status=422)
    if member.role == "owner":
        question = password_link_question(member.name, form.number.data or "", members_url())
        if answer := require_password(question):
            return answer
    if not form.first_time():
        flash("This link was already shown. Create a new one if you have not copied it.")
        return redirect(members_url(), 303)
    made, secret = link_for_member(partner, member_id, my_actor())
    return render_members(password_link=NewPasswordLink.of(made, secret))
