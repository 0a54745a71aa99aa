"""The calls that a page's script makes: the ones of the APIs, with the same shapes, for the member who is signed in.

Nothing is declared here. What differs is who is recognised and how, which the pages know: they hand it in."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Flask

from app.accounts.callers import MemberCaller
from app.api.apis import PARTNERS, V1, for_dashboard
from app.api.partners import games, uploads
from app.api.pipeline import CallContext, view_for_api
from app.api.v1 import assets
from app.data.extensions import csrf


def init_app(app: Flask, recognise: Callable[[], MemberCaller]) -> None:
    """Register the calls below the pages of a game. `recognise` finds the member behind the present request, and raises
    Unauthorized, Forbidden or InvalidRequest."""

    def recognise_member(passage: CallContext) -> None:
        passage.arguments["caller"] = recognise()

    partners, v1 = for_dashboard(PARTNERS, recognise_member), for_dashboard(V1, recognise_member)
    calls = Blueprint("dashboard", __name__, url_prefix="/games/<slug>")
    for name, method, path, api, view in (
        ("read_game", "GET", "/detail", partners, games.read),
        ("begin_upload", "POST", "/uploads", partners, uploads.begin),
        ("read_upload", "GET", "/uploads/<upload_id>", partners, uploads.read),
        ("cancel_upload", "DELETE", "/uploads/<upload_id>", partners, uploads.cancel),
        ("sign_parts", "POST", "/uploads/<upload_id>/parts", partners, uploads.sign),
        ("complete_upload", "POST", "/uploads/<upload_id>/complete", partners, uploads.complete),
        ("presign_asset", "POST", "/assets/presign", v1, assets.presign_asset),
        ("confirm_asset", "POST", "/assets/upload-complete", v1, assets.confirm_asset),
    ):
        calls.add_url_rule(path, name, view_for_api(api, view), methods=[method])
    csrf.exempt(calls)  # `recognise` looks at the token, in its header: a body is read later, and is JSON
    app.register_blueprint(calls)
