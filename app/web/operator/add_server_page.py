"""Adding a server: its id and region, then its token and the command that starts its agent."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from app.fleet.servers import add_server
from app.refusals import Conflict, InvalidRequest
from app.web.frame.current_user import my_actor
from app.web.frame.forms import FORM_REFUSALS, SingleUseForm, show_refusal, summary_title
from app.web.operator.install_command import Installed, shown_already
from app.web.operator.operator_access import require_operator
from app.web.settings.password_again import check_again, password_field

pages = Blueprint("operator_add_server", __name__)
pages.before_request(require_operator)


class ServerForm(SingleUseForm):
    id = StringField(
        "Id", [InputRequired("Name the server"), Length(max=40, message="An id has at most 40 characters")]
    )
    region = StringField("Region", [Length(max=40, message="A region has at most 40 characters")])
    password = password_field()


@pages.get("/operator/add-server")
def form() -> ResponseReturnValue:
    """Id and region."""
    return _ask(ServerForm())


@pages.post("/operator/add-server")
def create() -> ResponseReturnValue:
    """Add it. Its token is in the answer itself: it is stored nowhere, so no redirect can bring it."""
    form = ServerForm()
    if not form.validate_on_submit():
        return _ask(form), 422
    server_id = (form.id.data or "").strip()
    try:
        check_again(form.password.data)
        if not form.first_time():
            return shown_already(server_id)
        server, token = add_server(server_id, form.region.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        form.renew()
        # What is taken is the id: it stands beside that field.
        taken = isinstance(refusal, Conflict)
        answer = show_refusal(form, InvalidRequest(refusal.message, {"id": refusal.message}) if taken else refusal)
        return _ask(form), *answer
    return render_template("operator/token.html", made=Installed(server.id, token))


def _ask(form: ServerForm) -> str:
    return render_template(
        "operator/add_server.html", form=form, problem=summary_title(form, "The server is not added yet")
    )
