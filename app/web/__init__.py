"""The HTML face: one module a page. A page looks things up through the member's partner, calls the domain, renders."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Flask, request, url_for

from app.web import operator, settings
from app.web.accounts import invitation, new_password, sign_in
from app.web.builds import build_list, build_page, build_words, release_page, replica_page
from app.web.components import board_page, component_form, component_page, revisions_page
from app.web.frame import security_headers, static_files, storage_banner, theme
from app.web.frame.address_numbers import refuse_nul
from app.web.frame.current_user import here, signed_in
from app.web.frame.shown_commands import key_quote
from app.web.games import game_activity, game_details, game_list, game_page, new_game
from app.web.images import gallery_page, image_page, image_upload
from app.web.live import live_parts, stream_guard
from app.web.reference import reference_page
from app.web.servers import server_list

# No eval, no script from a response, nothing to another host; a refused form (422) is shown, an unchanged fragment
# (304) is not; private pages are not kept for the back button, which asks the server instead.
HTMX_CONFIG = json.dumps(
    {
        "allowEval": False,
        "allowScriptTags": False,
        "includeIndicatorStyles": False,
        "selfRequestsOnly": True,
        "historyCacheSize": 0,
        "historyRestoreAsHxRequest": False,
        "refreshOnHistoryMiss": True,
        "scrollIntoViewOnBoost": False,
        "responseHandling": [
            {"code": "204", "swap": False},
            {"code": "304", "swap": False},
            {"code": "[23]..", "swap": True},
            {"code": "422", "swap": True},
            {"code": "[45]..", "swap": False, "error": True},
        ],
    }
)


@dataclass(frozen=True)
class Place:
    """An entry of the main navigation."""

    name: str
    url: str
    current: bool


def _navigation() -> list[Place]:
    member = signed_in()
    if member is None:
        return []
    if member.is_operator:
        return [Place(name, url_for(page), request.path.startswith(below)) for name, page, below in operator.PLACES]
    return [
        Place("Games", url_for("games.index"), request.path.startswith("/games")),
        Place("Servers", url_for("servers.index"), request.path.startswith("/servers")),
        Place("Settings", url_for("partner.page"), request.path.startswith("/settings")),
    ]


def _frame() -> dict[str, Any]:
    """What the frame around every page needs."""
    return {"member": signed_in(), "nav": _navigation(), "theme": theme.chosen(), "here": here()}


def init_app(app: Flask) -> None:
    """Register every page, and what templates share."""
    for module in (server_list, theme, invitation, new_password):
        app.register_blueprint(module.pages)
    for module in (
        game_list,
        new_game,
        game_page,
        build_list,
        build_page,
        release_page,
        game_details,
        game_activity,
        replica_page,
    ):
        app.register_blueprint(module.pages)
    for module in (gallery_page, image_page, image_upload, board_page, component_page, component_form, revisions_page):
        app.register_blueprint(module.pages)
    for pages in (*settings.PAGES, *operator.PAGES):
        app.register_blueprint(pages)
    for part in (static_files, security_headers, sign_in, live_parts, stream_guard, storage_banner, reference_page):
        part.init_app(app)
    app.before_request(refuse_nul)
    app.context_processor(_frame)
    app.jinja_env.globals["htmx_config"] = HTMX_CONFIG
    app.jinja_env.filters.update(key_quote=key_quote, initials=build_words.initials)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
