"""Who may enter, and the questions that are asked before something is done."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from app.refusals import Forbidden
from app.web.frame.current_user import me, require_sign_in


def require_operator() -> ResponseReturnValue | None:
    """For `before_request`: who is not signed in is asked to; members of partners are told whose pages these are."""
    answer = require_sign_in()
    if answer is None and not me().is_operator:
        raise Forbidden(f"These pages are for operators, who run the platform; your role is {me().role}.")
    return answer
