"""Settings of a partner and of oneself, one module a page."""

from __future__ import annotations

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

PAGES = tuple(
    module.pages
    for module in (
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
    )
)
