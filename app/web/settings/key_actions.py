"""Actions on an API key: roll and revoke. Both ask for confirmation first."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from app.accounts.keys import end_after_roll, key_of, revoke_key, roll_key
from app.data.models.base import now
from app.data.models.partner import ApiKey
from app.web.frame.current_user import my_actor, my_partner, require_owner, require_sign_in
from app.web.frame.formats import Moment, Phrase
from app.web.frame.forms import FORM_REFUSALS, SingleUseForm, show_refusal, summary_title
from app.web.settings.confirm_question import render_question
from app.web.settings.key_rows import NewKey
from app.web.settings.keys_page import already_created, render_keys
from app.web.settings.password_confirmation import confirm_my_password, password_field

pages = Blueprint("key", __name__)
pages.before_request(require_sign_in)


class RollForm(SingleUseForm):
    password = password_field()


@pages.get("/settings/keys/<key_id>/roll")
def roll_form(key_id: str) -> ResponseReturnValue:
    """The confirmation form for rolling a key."""
    require_owner("Rolling keys")
    return _render_roll_form(key_of(my_partner(), key_id), RollForm())


@pages.post("/settings/keys/<key_id>/roll")
def roll(key_id: str) -> ResponseReturnValue:
    """Create the key that replaces this one. Both work until the old one expires."""
    require_owner("Rolling keys")
    key, form = key_of(my_partner(), key_id), RollForm()
    if not form.validate_on_submit():
        return _render_roll_form(key, form), 422
    try:
        confirm_my_password(form.password.data)
        if not form.first_time():
            return already_created()
        new, secret = roll_key(key, my_actor())
    except FORM_REFUSALS as refusal:
        form.renew()
        answer = show_refusal(form, refusal)
        return _render_roll_form(key, form), *answer
    return render_keys(NewKey(new, secret, old=key))


@pages.get("/settings/keys/<key_id>/revocation")
def revoke_form(key_id: str) -> ResponseReturnValue:
    """The confirmation form for revoking a key, with its last use."""
    require_owner("Revoking keys")
    key = key_of(my_partner(), key_id)
    return render_question(
        "settings/keys/key_revoke.html", back=url_for("keys.page"), form=FlaskForm(), key=key, used=_last_use(key)
    )


@pages.post("/settings/keys/<key_id>/revocation")
def revoke(key_id: str) -> ResponseReturnValue:
    """Revoke the key now."""
    require_owner("Revoking keys")
    key = key_of(my_partner(), key_id)
    revoke_key(key, my_actor())
    flash(f"{key.hint} is revoked")
    return redirect(url_for("keys.page"), 303)


def _render_roll_form(key: ApiKey, form: RollForm) -> str:
    return render_question(
        "settings/keys/key_roll.html",
        back=url_for("keys.page"),
        form=form,
        problem=summary_title(form, "The key is not rolled yet"),
        key=key,
        until=Moment(end_after_roll(key, now()), "coming"),
    )


def _last_use(key: ApiKey) -> Phrase:
    if key.last_used_at is None:
        return ("This key was never used.",)
    return (f"{key.app.name} used it ", Moment(key.last_used_at, "within"), ".")
