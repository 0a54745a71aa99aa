"""The page that an invitation link opens: the invitation, and the form that creates the account."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from app.accounts.members import accept_invitation, invitation_of
from app.data.models.partner import Invitation
from app.refusals import NotFound
from app.web.frame.browser_sign_in import closed_link_page, sign_in_browser
from app.web.frame.formats import Moment
from app.web.frame.forms import FORM_REFUSALS, new_password_field, show_refusal, summary_title
from app.web.frame.shown_commands import base_url

pages = Blueprint("invitation", __name__)

CLOSED_HEADING = "This invitation is no longer open"


class JoinForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    name = StringField(
        "Your name", [DataRequired("Enter your name"), Length(max=150, message="A name has at most 150 characters")]
    )
    password = new_password_field("Password")


def invitation_address(secret: str) -> str:
    """The address to send to the invited person."""
    return base_url() + url_for("invitation.form", secret=secret)


@pages.get("/invitations/<secret>")
def form(secret: str) -> ResponseReturnValue:
    """The form to join, with the inviting member, the partner and the role."""
    try:
        return _page(invitation_of(secret), JoinForm())
    except NotFound as refusal:
        return closed_link_page(CLOSED_HEADING, refusal)


@pages.post("/invitations/<secret>")
def join(secret: str) -> ResponseReturnValue:
    """Create the member and sign them in."""
    form = JoinForm()
    try:
        invitation = invitation_of(secret)  # before the password is hashed: guessing must cost the guesser only
        if not form.validate_on_submit():
            return _page(invitation, form), 422
        member = accept_invitation(secret, form.name.data or "", form.password.data or "", request.remote_addr)
    except NotFound as refusal:
        return closed_link_page(CLOSED_HEADING, refusal)
    except FORM_REFUSALS as refusal:
        answer = show_refusal(form, refusal)
        return _page(invitation, form), *answer
    sign_in_browser(member)
    flash(f"Welcome to {invitation.partner.name}")
    return redirect(url_for("games.index"), 303)


def _page(invitation: Invitation, form: JoinForm) -> str:
    return render_template(
        "accounts/invitation.html",
        invitation=invitation,
        until=Moment(invitation.expires_at, "end"),
        form=form,
        problem=summary_title(form, "You have not joined yet"),
    )
