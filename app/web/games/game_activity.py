"""The audit log of one game."""

from __future__ import annotations

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from app.accounts.audit_history import history
from app.web.frame.current_user import my_game, require_sign_in
from app.web.frame.query_parameters import query_number
from app.web.games.game_header import header_context
from app.web.settings.audit_words import AuditLine

pages = Blueprint("game_activity", __name__)
pages.before_request(require_sign_in)


@pages.get("/games/<slug>/activity")
def page(slug: str) -> ResponseReturnValue:
    """One page of entries, newest first."""
    game = my_game(slug)
    before = query_number("before")
    found = history(game=game, before=before)
    lines = [AuditLine.of(entry) for entry in found.entries]
    older = url_for("game_activity.page", slug=slug, before=found.older) if found.older else ""
    newest = url_for("game_activity.page", slug=slug) if before else ""
    return render_template("games/game_activity.html", lines=lines, older=older, newest=newest, **header_context(game))
