"""The HTML face: one module a page. A page looks things up through the member's partner, calls the domain, renders."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Flask, request, url_for

from app.web import (
    asset,
    asset_upload,
    assets,
    build,
    builds,
    bundle,
    component,
    component_form,
    components,
    details,
    game,
    game_activity,
    games,
    invitation,
    live,
    new_game,
    new_password,
    operator,
    readers,
    reference,
    releases,
    replica,
    revisions,
    security,
    servers,
    settings,
    sign_in,
    storage,
    theme,
    words,
)
from app.web.asked import refuse_nul
from app.web.people import here, signed_in
from app.web.terminal import key_quote

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
    for module in (servers, theme, invitation, new_password):
        app.register_blueprint(module.pages)
    for module in (games, new_game, game, builds, build, releases, details, game_activity, replica):
        app.register_blueprint(module.pages)
    for module in (assets, asset, asset_upload, components, component, component_form, revisions):
        app.register_blueprint(module.pages)
    for pages in (*settings.PAGES, *operator.PAGES):
        app.register_blueprint(pages)
    for part in (bundle, security, sign_in, live, readers, storage, reference):
        part.init_app(app)
    app.before_request(refuse_nul)
    app.context_processor(_frame)
    app.jinja_env.globals["htmx_config"] = HTMX_CONFIG
    app.jinja_env.filters.update(key_quote=key_quote, initials=words.initials)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
