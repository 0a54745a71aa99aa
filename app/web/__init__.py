"""The HTML face: one module a page. A page looks things up through the member's partner, calls the domain, renders."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

from flask import Flask

from app.web.accounts import invitation, new_password, sign_in
from app.web.builds import (
    build_list,
    build_page,
    build_words,
    changes_page,
    refusal_actions,
    release_page,
    replica_page,
)
from app.web.components import board_page, component_form, component_page, revisions_page
from app.web.frame import dialogs, security_headers, shown_text, static_files, storage_banner, theme
from app.web.frame.current_user import current_address, signed_in_member
from app.web.frame.navigation import navigation
from app.web.frame.query_parameters import refuse_nul
from app.web.frame.shown_commands import key_quote
from app.web.games import game_activity, game_details, game_list, game_page, new_game
from app.web.images import gallery_page, image_page, image_picker, image_upload, selected_images
from app.web.live import cached_html, live_parts, shared_streams, stream_guard
from app.web.operator import (
    add_server_page,
    attention_items,
    attention_page,
    audit_page,
    capacity_page,
    new_token_page,
    partner_list,
    retire_server_page,
    roll_token_page,
    server_page,
    storage_page,
)
from app.web.operator import partner_page as operator_partner_page
from app.web.operator import replica_page as operator_replica_page
from app.web.operator import server_list as operator_server_list
from app.web.palette import palette_page
from app.web.reference import reference_page
from app.web.servers import server_list
from app.web.servers import server_page as partner_server_page
from app.web.settings import (
    activity_page,
    app_pages,
    appearance_page,
    invitation_actions,
    key_actions,
    keys_page,
    members_page,
    partner_page,
    password_link_actions,
    profile_page,
    quota_page,
)

AREAS: tuple[tuple[ModuleType, ...], ...] = (
    (theme, invitation, new_password),
    (game_list, new_game, game_page, game_details, game_activity),
    (build_list, build_page, changes_page, refusal_actions, release_page, replica_page),
    (gallery_page, image_page, image_picker, image_upload, selected_images),
    (board_page, component_page, component_form, revisions_page),
    (server_list, partner_server_page),
    (palette_page,),
    (
        partner_page,
        members_page,
        password_link_actions,
        invitation_actions,
        keys_page,
        key_actions,
        app_pages,
        quota_page,
        appearance_page,
        activity_page,
        profile_page,
    ),
    (
        operator_server_list,
        attention_page,
        capacity_page,
        server_page,
        operator_replica_page,
        add_server_page,
        roll_token_page,
        new_token_page,
        retire_server_page,
        partner_list,
        operator_partner_page,
        storage_page,
        audit_page,
    ),
)

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


def _frame() -> dict[str, Any]:
    """What the frame around every page needs."""
    return {"member": signed_in_member(), "nav": navigation(), "theme": theme.chosen_theme(), "here": current_address()}


def init_app(app: Flask) -> None:
    """Register every page, and what templates share."""
    for area in AREAS:
        for page in area:
            app.register_blueprint(page.pages)
    for part in (
        shown_text,
        static_files,
        security_headers,
        dialogs,
        sign_in,
        cached_html,
        live_parts,
        shared_streams,
        stream_guard,
        attention_items,
        storage_banner,
        reference_page,
    ):
        part.init_app(app)
    app.before_request(refuse_nul)
    app.context_processor(_frame)
    app.jinja_env.globals["htmx_config"] = HTMX_CONFIG
    app.jinja_env.filters.update(key_quote=key_quote, initials=build_words.initials)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
