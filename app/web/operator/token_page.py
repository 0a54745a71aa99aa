"""A server's token rolled: a new one, shown once with the command that puts it in place."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.fleet.fleet_overview import FleetServer, fleet_server
from app.fleet.servers import roll_token
from app.web.frame.current_user import my_actor
from app.web.frame.forms import FORM_REFUSALS, SingleUseForm, show_refusal, summary_title
from app.web.operator.install_command import Installed, shown_already
from app.web.operator.operator_access import require_operator
from app.web.settings.password_again import check_again, password_field

pages = Blueprint("operator_token", __name__)
pages.before_request(require_operator)


class RollForm(SingleUseForm):
    password = password_field()


@pages.get("/operator/servers/<server_id>/token")
def form(server_id: str) -> ResponseReturnValue:
    """What rolling does."""
    return _ask(fleet_server(server_id), RollForm())


@pages.post("/operator/servers/<server_id>/token")
def roll(server_id: str) -> ResponseReturnValue:
    """Make the new token. It is in the answer itself: it is stored nowhere, so no redirect can bring it."""
    server, form = fleet_server(server_id), RollForm()
    if not form.validate_on_submit():
        return _ask(server, form), 422
    try:
        check_again(form.password.data)
        if not form.first_time():
            return shown_already(server_id)
        token = roll_token(server_id, my_actor())
    except FORM_REFUSALS as refusal:
        form.renew()
        answer = show_refusal(form, refusal)
        return _ask(server, form), *answer
    return render_template("operator/token.html", made=Installed(server_id, token, rolled=True))


def _ask(server: FleetServer, form: RollForm) -> str:
    what = summary_title(form, "The token is not rolled yet")
    return render_template("operator/roll_token.html", server=server, form=form, problem=what)
