"""All partners, and making one with an invitation for its first owner."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import EmailField, StringField
from wtforms.form import BaseForm
from wtforms.validators import InputRequired, Length, ValidationError

from app.accounts.partner_creation import create_partner_with_owner
from app.accounts.partner_list import PartnerEntry, directory
from app.web.accounts.invitation import link
from app.web.frame.current_user import my_actor
from app.web.frame.formats import Moment, counted, size
from app.web.frame.forms import SHOWN, OnceForm, problem, refused
from app.web.operator.operator_access import require_operator
from app.web.settings.password_again import check_again, password_field

pages = Blueprint("operator_partners", __name__)
pages.before_request(require_operator)

GB = 10**9
_MOST_GB = 10**9


@dataclass(frozen=True)
class Line:
    """One partner. `percent` is of its quota, None without one."""

    id: str
    name: str
    games: str
    members: str
    no_owner: bool
    stored: str
    quota: str
    percent: int | None


@dataclass(frozen=True)
class Invited:
    """An invitation that was just made, with its link: in this answer and nowhere else."""

    email: str
    link: str
    until: Moment


def quota_field() -> StringField:
    """Bytes of builds in GB; empty for no limit."""
    return StringField("Quota for builds, in GB", [Length(max=20, message="A quota has at most 20 digits"), _is_amount])


def _is_amount(form: BaseForm, field: StringField) -> None:
    text = (field.data or "").strip()
    if text and not (re.fullmatch(r"\d+(\.\d+)?", text) and float(text) <= _MOST_GB):
        raise ValidationError("Write a number of GB such as 250 or 0.5, or nothing for no limit")


def quota_bytes(text: str | None) -> int | None:
    """What the field means in bytes; None for no limit."""
    return round(float(text.strip()) * GB) if text and text.strip() else None


class PartnerForm(OnceForm):
    name = StringField(
        "Name", [InputRequired("Name the partner"), Length(max=150, message="A name has at most 150 characters")]
    )
    email = EmailField(
        "Email of its first owner",
        [InputRequired("Enter an email address"), Length(max=254, message="An address has at most 254 characters")],
    )
    quota = quota_field()
    password = password_field()


@pages.get("/operator/partners")
def index() -> ResponseReturnValue:
    """The list."""
    lines = [_line(entry) for entry in directory()]
    return render_template("operator/partners.html", lines=lines, heading=counted(len(lines), "partner"))


@pages.get("/operator/partners/new")
def form() -> ResponseReturnValue:
    """A name, its first owner's address, a quota."""
    return _ask(PartnerForm())


@pages.post("/operator/partners/new")
def create() -> ResponseReturnValue:
    """Make it. The link is in the answer itself: only its fingerprint is stored, so no redirect can bring it."""
    form = PartnerForm()
    if not form.validate_on_submit():
        return _ask(form), 422
    try:
        check_again(form.password.data)
        if not form.first_time():
            flash("This partner was made already. Its page makes a new link if the first was lost.")
            return redirect(url_for("operator_partners.index"), 303)
        partner, invitation, secret = create_partner_with_owner(
            form.name.data or "", form.email.data or "", quota_bytes(form.quota.data), my_actor()
        )
    except SHOWN as refusal:
        form.renew()
        answer = refused(form, refusal)
        return _ask(form), *answer
    invited = Invited(invitation.email, link(secret), Moment(invitation.expires_at, "end"))
    return render_template("operator/partner_created.html", partner=partner, invited=invited)


def _ask(form: PartnerForm) -> str:
    return render_template("operator/new_partner.html", form=form, problem=problem(form, "The partner is not made yet"))


def _line(entry: PartnerEntry) -> Line:
    limit = entry.quota_bytes
    return Line(
        id=entry.id,
        name=entry.name,
        games=f"{entry.games:,}",
        members=f"{entry.members:,}",
        no_owner=entry.owners == 0,
        stored=size(entry.builds_bytes),
        quota="No limit" if limit is None else size(limit),
        percent=None if limit is None else min(100, entry.builds_bytes * 100 // limit if limit else 100),
    )
