"""Pages that add a server: the form, then the token with the command that starts the agent."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from wtforms import StringField

from app.data.models.base import now
from app.fleet.servers import add_server
from app.refusals import Conflict, InvalidRequest
from app.web.frame.current_user import my_actor
from app.web.frame.forms import FORM_REFUSALS, SingleUseForm, show_refusal, summary_title
from app.web.operator.install_command import NewToken, already_shown
from app.web.operator.new_token_page import render_new_token
from app.web.operator.operator_access import require_operator
from app.web.settings.password_confirmation import confirm_my_password, password_field
from app.web.settings.text_fields import length_limit, name_field

MAX_ID_LENGTH = MAX_REGION_LENGTH = 40

pages = Blueprint("operator_add_server", __name__)
pages.before_request(require_operator)


class ServerForm(SingleUseForm):
    id = name_field("ID", "Name the server", noun="An ID", maximum=MAX_ID_LENGTH)
    region = StringField("Region", [length_limit("A region", MAX_REGION_LENGTH)])
    password = password_field()


@pages.get("/operator/add-server")
def form() -> ResponseReturnValue:
    """The form."""
    return _render_form(ServerForm())


@pages.post("/operator/add-server")
def create() -> ResponseReturnValue:
    """Add the server. Its token is stored nowhere, so this response shows it, without a redirect."""
    form = ServerForm()
    if not form.validate_on_submit():
        return _render_form(form), 422
    server_id = (form.id.data or "").strip()
    try:
        confirm_my_password(form.password.data)
        if not form.first_time():
            return already_shown(server_id)
        server, token = add_server(server_id, form.region.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        form.renew()
        # A conflict is always about the id, so the message belongs to that field.
        id_in_use = isinstance(refusal, Conflict)
        answer = show_refusal(form, InvalidRequest(refusal.message, {"id": refusal.message}) if id_in_use else refusal)
        return _render_form(form), *answer
    return render_new_token(NewToken(server.id, token, now()))


def _render_form(form: ServerForm) -> str:
    return render_template(
        "operator/add_server.html", form=form, problem=summary_title(form, "The server is not added yet")
    )
