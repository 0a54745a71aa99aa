"""The main navigation: its entries, and which of them is current."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request, url_for

from app.web.frame.current_user import signed_in_member


@dataclass(frozen=True)
class NavigationEntry:
    """An entry of the main navigation."""

    name: str
    url: str
    current: bool


# Name, endpoint, and the prefixes of the addresses that belong to it. Of several, the longest prefix counts.
_OPERATOR = (
    (
        "Servers",
        "operator_servers.index",
        ("/operator/servers", "/operator/fleet", "/operator/attention", "/operator/capacity", "/operator/add-server"),
    ),
    ("Partners", "operator_partners.index", ("/operator/partners",)),
    ("Storage", "operator_storage.page", ("/operator/storage",)),
    ("Audit", "operator_audit.page", ("/operator/audit",)),
)
_MEMBER = (
    ("Games", "games.index", ("/games",)),
    ("Servers", "servers.index", ("/servers",)),
    ("Activity", "activity.page", ("/settings/activity",)),
    ("Members", "members.page", ("/settings/members",)),
    ("Settings", "partner.page", ("/settings",)),
)


def navigation() -> list[NavigationEntry]:
    """The entries for the signed-in member, or no entries."""
    member = signed_in_member()
    if member is None:
        return []
    places = _OPERATOR if member.is_operator else _MEMBER
    prefixes = [prefix for _, _, below in places for prefix in below if request.path.startswith(prefix)]
    current = max(prefixes, key=len, default="")
    return [NavigationEntry(name, url_for(page), current in below) for name, page, below in places]
