"""Pages that open in a dialog. A form in a dialog that needs a change is shown again in the dialog."""

from __future__ import annotations

from flask import Flask, Response, g, request

from app.data.extensions import htmx

_RETARGET = {"HX-Retarget": "#dialog", "HX-Reswap": "innerHTML", "HX-Push-Url": "false"}


def in_dialog() -> bool:
    """Whether the response is the content of a dialog: of one that opens, or of the one whose form was sent
    (js/htmx-setup.js adds `X-Dialog`)."""
    if request.method == "POST":
        g.in_dialog = bool(htmx) and "X-Dialog" in request.headers
        return bool(g.in_dialog)
    return bool(htmx) and not htmx.boosted


def _stay_in_dialog(response: Response) -> Response:
    """The response to a form replaces the page, unless it was rendered for the dialog."""
    if g.get("in_dialog"):
        response.headers.update(_RETARGET)
    return response


def init_app(app: Flask) -> None:
    """Register the headers of responses to forms in dialogs."""
    app.after_request(_stay_in_dialog)
