"""Pages that roll a server's token: the confirmation form, then the new token with the command that installs it."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.data.models.base import now
from app.fleet.overviews.fleet_overview import FleetServer, fleet_server
from app.fleet.servers import roll_token
from app.web.frame.current_user import my_actor
from app.web.frame.forms import FORM_REFUSALS, SingleUseForm, show_refusal, summary_title
from app.web.operator.install_command import NewToken, already_shown
from app.web.operator.new_token_page import render_new_token
from app.web.operator.operator_access import require_operator
from app.web.settings.password_confirmation import confirm_my_password, password_field

pages = Blueprint("operator_token", __name__)
pages.before_request(require_operator)


class RollForm(SingleUseForm):
    password = password_field()


@pages.get("/operator/servers/<server_id>/token")
def form(server_id: str) -> ResponseReturnValue:
    """The confirmation form."""
    return _render_form(fleet_server(server_id), RollForm())


@pages.post("/operator/servers/<server_id>/token")
def roll(server_id: str) -> ResponseReturnValue:
    """Make the new token. It is stored nowhere, so this response shows it, without a redirect."""
    server, form = fleet_server(server_id), RollForm()
    if not form.validate_on_submit():
        return _render_form(server, form), 422
    try:
        confirm_my_password(form.password.data)
        if not form.first_time():
            return already_shown(server_id)
        token = roll_token(server_id, my_actor())
    except FORM_REFUSALS as refusal:
        form.renew()
        answer = show_refusal(form, refusal)
        return _render_form(server, form), *answer
    return render_new_token(NewToken(server_id, token, now(), rolled=True))


def _render_form(server: FleetServer, form: RollForm) -> str:
    what = summary_title(form, "The token is not rolled yet")
    return render_template("operator/roll_token.html", server=server, form=form, problem=what)
