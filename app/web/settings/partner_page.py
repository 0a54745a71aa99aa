"""The partner: its name, owners and id."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.accounts.partners import rename_partner
from app.web.frame.current_user import me, my_actor, my_partner, owner_names, require_owner, require_sign_in
from app.web.frame.edit_form import EditForm
from app.web.frame.formats import Moment
from app.web.frame.forms import FORM_REFUSALS, show_refusal, summary_title
from app.web.settings.text_fields import name_field

pages = Blueprint("partner", __name__)
pages.before_request(require_sign_in)


class PartnerForm(EditForm):
    name = name_field("Name", "Name the partner")


@pages.get("/settings")
def index() -> ResponseReturnValue:
    """Settings open on the partner page."""
    return redirect(url_for("partner.page"))


@pages.get("/settings/partner")
def page() -> ResponseReturnValue:
    """The page."""
    form = PartnerForm(name=my_partner().name)
    form.fill({"name": my_partner().name})
    return _page(form)


@pages.post("/settings/partner")
def rename() -> ResponseReturnValue:
    """Rename the partner. No URL contains the name, so none changes."""
    require_owner("Renaming the partner")
    form = PartnerForm()
    if not form.validate_on_submit() or form.merge({"name": my_partner().name}):
        return _page(form), 422
    try:
        rename_partner(my_partner(), form.name.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        answer = show_refusal(form, refusal)
        return _page(form), *answer
    flash(f"The partner is now named {my_partner().name}")
    return redirect(url_for("partner.page"), 303)


def _page(form: PartnerForm) -> str:
    partner = my_partner()
    return render_template(
        "settings/partner.html",
        partner=partner,
        form=form,
        problem=summary_title(form, "The partner is not renamed yet"),
        is_owner=me().role == "owner",
        owners=owner_names(partner),
        since=Moment(partner.created_at, "day"),
    )
