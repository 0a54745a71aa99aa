"""One partner: its members, quota, and invitations for owners."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from app.accounts.build_quota import BuildQuota, build_quota
from app.accounts.members import invite, member_of, members_of, open_invitations
from app.accounts.partner_list import partner_by_id
from app.accounts.partners import set_build_quota
from app.accounts.password_links import link_for_member
from app.data.extensions import db
from app.data.models.partner import Partner
from app.web.accounts.new_password import NewPasswordLink
from app.web.frame.current_user import my_actor
from app.web.frame.formats import Moment, counted, format_limit, format_size, format_used
from app.web.frame.forms import FORM_REFUSALS, Headers, SingleUseForm, show_refusal, summary_title
from app.web.operator.largest_games import largest_games
from app.web.operator.operator_access import require_operator
from app.web.operator.partner_list import quota_bytes, quota_field, quota_text
from app.web.settings.member_rows import NewInvitation
from app.web.settings.password_confirmation import (
    confirm_my_password,
    password_field,
    password_link_question,
    require_password,
)
from app.web.settings.text_fields import email_field

pages = Blueprint("operator_partner", __name__)
pages.before_request(require_operator)


class QuotaForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    quota = quota_field()


class OwnerForm(SingleUseForm):
    email = email_field()
    password = password_field()


@pages.get("/operator/partners/<partner_id>")
def page(partner_id: str) -> ResponseReturnValue:
    """The page."""
    return _render(partner_by_id(partner_id))


@pages.post("/operator/partners/<partner_id>/quota")
def set_quota(partner_id: str) -> ResponseReturnValue:
    """Set the quota for builds. Stored builds stay, also over the quota."""
    partner, form = partner_by_id(partner_id), QuotaForm()
    if not form.validate_on_submit():
        return _render(partner, quota=form), 422
    amount = quota_bytes(form.quota.data)
    set_build_quota(partner, amount, my_actor())
    flash(
        f"{partner.name} can store {format_limit(amount)} of builds"
        if amount is not None
        else f"{partner.name} has no quota"
    )
    return redirect(url_for("operator_partner.page", partner_id=partner_id), 303)


@pages.post("/operator/partners/<partner_id>/invitations")
def invite_owner(partner_id: str) -> ResponseReturnValue:
    """Invite an owner. Only the link's fingerprint is stored, so this response shows the link."""
    partner, form = partner_by_id(partner_id), OwnerForm()
    if not form.validate_on_submit():
        return _render(partner, owner=form), 422
    try:
        confirm_my_password(form.password.data)
        if not form.first_time():
            flash("This link was already shown. Invite the address again for a new link.")
            return redirect(url_for("operator_partner.page", partner_id=partner_id), 303)
        invitation, secret = invite(partner, form.email.data or "", "owner", my_actor())
    except FORM_REFUSALS as refusal:
        form.renew()
        answer: tuple[int, Headers] = show_refusal(form, refusal)
        return _render(partner, owner=form), *answer
    return _render(partner, invited=NewInvitation.of(invitation, secret))


@pages.post("/operator/partners/<partner_id>/members/<member_id>/password-link")
def password_link(partner_id: str, member_id: str) -> ResponseReturnValue:
    """Create a password link for a member. Operators need it when the last owner forgot the password."""
    partner, form = partner_by_id(partner_id), SingleUseForm()
    member, back = member_of(partner, member_id), url_for("operator_partner.page", partner_id=partner_id)
    if form.validate_on_submit() and member.role == "owner":
        question = password_link_question(member.name, form.number.data or "", back)
        if answer := require_password(replace(question, back_label=partner.name, layout="operator/confirm.html")):
            return answer
    if form.errors or not form.first_time():
        flash("This link was already shown. Create a new one if you have not copied it.")
        return redirect(back, 303)
    made, secret = link_for_member(partner, member_id, my_actor())
    return _render(partner, password_link=NewPasswordLink.of(made, secret))


def _render(
    partner: Partner,
    *,
    quota: QuotaForm | None = None,
    owner: OwnerForm | None = None,
    invited: NewInvitation | None = None,
    password_link: NewPasswordLink | None = None,
) -> str:
    found = build_quota(db.session(), partner)
    limit = found.limit
    invalid = quota or owner
    what = "The quota is not set yet" if quota else "Nobody is invited yet"
    members = members_of(partner)
    return render_template(
        "operator/partner.html",
        partner=partner,
        members=members,
        heading=counted(len(members), "member"),
        invitations=open_invitations(partner),
        found=found,
        words=_quota_words(found),
        largest=largest_games(partner),
        quota=quota or QuotaForm(formdata=None, quota=quota_text(limit)),
        owner=owner or OwnerForm(formdata=None),
        form=invalid,
        problem=summary_title(invalid, what) if invalid else "",
        invited=invited,
        password_link=password_link,
        once=SingleUseForm(formdata=None),
        moment_of=Moment,
    )


def _quota_words(found: BuildQuota) -> str:
    details = f", {format_size(found.packs)} of it packs" if found.packs else ""
    details += f", {format_size(found.reserved)} being uploaded" if found.reserved else ""
    if found.limit is None:
        return f"{format_size(found.used)} used, no limit{details}"
    return f"{format_used(found.used, found.limit)} used{details}"
