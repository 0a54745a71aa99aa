"""The partner's audit log."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts.audit_history import history
from app.catalog.game_lookup import find_game, game_titles
from app.web.frame.current_user import my_partner, require_sign_in
from app.web.frame.query_parameters import query_number
from app.web.settings.audit_words import AuditLine, KindFilters, kind_links, selected_kind

pages = Blueprint("activity", __name__)
pages.before_request(require_sign_in)

KINDS: KindFilters = {
    "": ("All", ""),
    "games": ("Games", "game."),
    "builds": ("Builds", "build."),
    "keys": ("Keys", "key."),
    "apps": ("Apps", "app."),
    "members": ("Members", "member."),
    "partner": ("Partner", "partner."),
}


@pages.get("/settings/activity")
def page() -> ResponseReturnValue:
    """The log, newest first, in pages. The filters are in the URL."""
    partner = my_partner()
    games = game_titles(partner)
    kind = selected_kind(KINDS)
    slug = request.args.get("game", "")
    game = find_game(partner, slug) if slug else None
    if game is not None and (game.slug, game.title) not in games:
        games.insert(0, (game.slug, game.title))
    before = query_number("before")
    found = history(partner=partner, game=game, action=KINDS[kind][1] or None, before=before)

    def address(kind: str, before: int | None = None) -> str:
        return url_for("activity.page", kind=kind or None, game=slug or None, before=before)

    return render_template(
        "settings/activity.html",
        partner=partner,
        entries=[AuditLine.of(entry) for entry in found.entries],
        segments=kind_links(KINDS, address),
        kind=kind,
        game=game,
        games=games,
        filtered=bool(kind or game),
        newest=address(kind) if before else "",
        older=address(kind, found.older) if found.older else "",
    )
