"""All partners, and pages that make a partner with an invitation for its first owner."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.form import BaseForm
from wtforms.validators import Length, ValidationError

from app.accounts.partner_creation import create_partner_with_owner
from app.accounts.partner_list import PartnerEntry, directory
from app.web.frame.current_user import my_actor
from app.web.frame.formats import counted, format_limit, format_size
from app.web.frame.forms import FORM_REFUSALS, SingleUseForm, show_refusal, summary_title
from app.web.operator.operator_access import require_operator
from app.web.settings.member_rows import NewInvitation
from app.web.settings.password_confirmation import confirm_my_password, password_field
from app.web.settings.text_fields import email_field, name_field

pages = Blueprint("operator_partners", __name__)
pages.before_request(require_operator)

GIB = 1024**3
MAX_QUOTA_GIB = 10**9


@dataclass(frozen=True)
class PartnerLine:
    """One partner. `percent`: used part of its quota, None without a quota."""

    id: str
    name: str
    games: str
    members: str
    no_owner: bool
    stored: str
    quota: str
    percent: int | None


def quota_field() -> StringField:
    """The quota for builds in GiB; empty for no limit."""
    return StringField(
        "Quota for builds, in GiB", [Length(max=20, message="A quota has at most 20 digits"), _is_amount]
    )


def _is_amount(form: BaseForm, field: StringField) -> None:
    text = (field.data or "").strip()
    if text and not (re.fullmatch(r"\d+(\.\d+)?", text) and float(text) <= MAX_QUOTA_GIB):
        raise ValidationError("Enter a number of GiB such as 250 or 0.5, or leave it empty for no limit")


def quota_bytes(text: str | None) -> int | None:
    """The field's value in bytes; None for no limit."""
    return round(float(text.strip()) * GIB) if text and text.strip() else None


def quota_text(amount: int | None) -> str:
    """The field's value for a quota in bytes: the shortest that stands for exactly these bytes, so that saving it
    changes nothing."""
    if amount is None:
        return ""
    texts = [f"{amount / GIB:.{places}f}" for places in range(12)]
    return next((text for text in texts if quota_bytes(text) == amount), texts[-1])


class PartnerForm(SingleUseForm):
    name = name_field("Name", "Name the partner")
    email = email_field("Email of its first owner")
    quota = quota_field()
    password = password_field()


@pages.get("/operator/partners")
def index() -> ResponseReturnValue:
    """The list."""
    lines = [_line(entry) for entry in directory()]
    return render_template("operator/partners.html", lines=lines, heading=counted(len(lines), "partner"))


@pages.get("/operator/partners/new")
def form() -> ResponseReturnValue:
    """The form for a new partner."""
    return _render_form(PartnerForm())


@pages.post("/operator/partners/new")
def create() -> ResponseReturnValue:
    """Create the partner. Only the link's fingerprint is stored, so this response shows it, without a redirect."""
    form = PartnerForm()
    if not form.validate_on_submit():
        return _render_form(form), 422
    try:
        confirm_my_password(form.password.data)
        if not form.first_time():
            flash("This partner was already created. If the link was lost, create a new one on the partner's page.")
            return redirect(url_for("operator_partners.index"), 303)
        partner, invitation, secret = create_partner_with_owner(
            form.name.data or "", form.email.data or "", quota_bytes(form.quota.data), my_actor()
        )
    except FORM_REFUSALS as refusal:
        form.renew()
        answer = show_refusal(form, refusal)
        return _render_form(form), *answer
    invited = NewInvitation.of(invitation, secret)
    return render_template("operator/partner_created.html", partner=partner, invited=invited)


def _render_form(form: PartnerForm) -> str:
    return render_template(
        "operator/new_partner.html", form=form, problem=summary_title(form, "The partner is not created yet")
    )


def _line(entry: PartnerEntry) -> PartnerLine:
    limit = entry.quota_bytes
    return PartnerLine(
        id=entry.id,
        name=entry.name,
        games=f"{entry.games:,}",
        members=f"{entry.members:,}",
        no_owner=entry.owners == 0,
        stored=format_size(entry.builds_bytes),
        quota="No limit" if limit is None else format_limit(limit),
        percent=None if limit is None else min(100, entry.builds_bytes * 100 // limit if limit else 100),
    )
