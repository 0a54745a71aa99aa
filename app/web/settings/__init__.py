"""Settings of a partner and of oneself, one module a page."""

from __future__ import annotations

from app.web.settings import (
    activity,
    appearance,
    apps,
    invitations,
    key,
    keys,
    members,
    partner,
    passwords,
    profile,
    quota,
)

PAGES = tuple(
    module.pages
    for module in (partner, members, passwords, invitations, keys, key, apps, quota, appearance, activity, profile)
)
