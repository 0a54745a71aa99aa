"""The calls that the dashboard's scripts make: calls of the APIs, with the same shapes, for the signed-in member.

Nothing is declared here. Only authentication differs, and the pages pass it in."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Flask

from app.accounts.callers import MemberCaller
from app.api.apis import PARTNERS, V1, for_dashboard
from app.api.partners import games, uploads, uploads_without_game
from app.api.pipeline import CallContext, view_for_api
from app.api.v1 import assets
from app.data.extensions import csrf

GAME = "/games/<slug>"


def init_app(app: Flask, current_caller: Callable[[], MemberCaller]) -> None:
    """Register the calls under /games/<slug> and /uploads. `current_caller` returns the member of the current request.
    It raises Unauthorized, Forbidden or InvalidRequest."""

    def require_member(context: CallContext) -> None:
        context.arguments["caller"] = current_caller()

    partners, v1 = for_dashboard(PARTNERS, require_member), for_dashboard(V1, require_member)
    calls = Blueprint("dashboard", __name__)
    for name, method, path, api, view in (
        ("read_game", "GET", f"{GAME}/detail", partners, games.read),
        ("begin_upload", "POST", f"{GAME}/uploads", partners, uploads.begin),
        ("read_upload", "GET", f"{GAME}/uploads/<upload_id>", partners, uploads.read),
        ("cancel_upload", "DELETE", f"{GAME}/uploads/<upload_id>", partners, uploads.cancel),
        ("sign_parts", "POST", f"{GAME}/uploads/<upload_id>/parts", partners, uploads.sign),
        ("complete_upload", "POST", f"{GAME}/uploads/<upload_id>/complete", partners, uploads.complete),
        ("begin_upload_without_game", "POST", "/uploads", partners, uploads_without_game.begin),
        ("read_upload_without_game", "GET", "/uploads/<upload_id>", partners, uploads_without_game.read),
        ("cancel_upload_without_game", "DELETE", "/uploads/<upload_id>", partners, uploads_without_game.cancel),
        ("sign_parts_without_game", "POST", "/uploads/<upload_id>/parts", partners, uploads_without_game.sign),
        ("give_game", "POST", "/uploads/<upload_id>/game", partners, uploads_without_game.give),
        (
            "complete_upload_without_game",
            "POST",
            "/uploads/<upload_id>/complete",
            partners,
            uploads_without_game.complete,
        ),
        ("presign_asset", "POST", f"{GAME}/assets/presign", v1, assets.presign_asset),
        ("confirm_asset", "POST", f"{GAME}/assets/upload-complete", v1, assets.confirm_asset),
    ):
        calls.add_url_rule(path, name, view_for_api(api, view), methods=[method])
    csrf.exempt(calls)  # `current_caller` checks the CSRF token in its header, before the JSON body is read
    app.register_blueprint(calls)
