"""The partner's audit log."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.accounts.audit.audit_history import history
from app.catalog.game_lookup import find_game, game_titles
from app.web.audit.audit_filters import RELEASE_KINDS, KindFilters, history_filter, log_context, requested_log
from app.web.audit.audit_links import member_links
from app.web.audit.audit_words import AuditLine, action_words
from app.web.frame.current_user import my_partner, require_sign_in

pages = Blueprint("activity", __name__)
pages.before_request(require_sign_in)

KINDS: KindFilters = {
    "": ("All", ""),
    "games": ("Games", "game."),
    "builds": ("Builds", "build."),
    **RELEASE_KINDS,
    "keys": ("Keys", "key."),
    "apps": ("Apps", "app."),
    "members": ("Members", "member."),
    "partner": ("Partner", "partner."),
}


@pages.get("/settings/activity")
def page() -> ResponseReturnValue:
    """One page of the log. Search, filters, order and page are in the address."""
    partner = my_partner()
    games = game_titles(partner)
    address = requested_log("/settings/activity", KINDS, "game")
    slug = address.value("game")
    game = find_game(partner, slug) if slug else None
    if game is not None and (game.slug, game.title) not in games:
        games.insert(0, (game.slug, game.title))
    found = history(history_filter(address, KINDS, partner, game), action_words)
    links = member_links(found.entries)
    return render_template(
        "settings/activity.html",
        partner=partner,
        entries=[AuditLine.of(entry, address, links) for entry in found.entries],
        games=games,
        **log_context(address, KINDS, found, game=game.title if game else ""),
    )
