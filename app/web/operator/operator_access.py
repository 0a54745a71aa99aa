"""Access to the operator area."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from app.refusals import Forbidden
from app.web.frame.current_user import me, require_sign_in


def require_operator() -> ResponseReturnValue | None:
    """For `before_request`: visitors that are not signed in must sign in. Raises Forbidden for members of partners."""
    answer = require_sign_in()
    if answer is None and not me().is_operator:
        raise Forbidden(f"These pages are for operators, who run the platform. Your role is {me().role}.")
    return answer
