"""Where entries of the audit log lead: to the page of what they name, if it exists and the reader may see it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from flask import url_for

from app.accounts.audit.audit_history import HistoryEntry
from app.accounts.audit.existing_subjects import (
    ExistingSubjects,
    existing_members,
    existing_servers,
    existing_subjects,
    key_hint,
)
from app.accounts.audit.rollbacks import build_number

# Action -> endpoint of the page of a game that it leads to, with an anchor.
_OF_A_GAME = {
    "game.created": ("game.page", None),
    "game.updated": ("details.page", None),
    "game.cover_picked": ("details.page", "pictures"),
    "game.screenshots_picked": ("details.page", "pictures"),
    "components.saved": ("components.page", None),
    "revision.finalized": ("revisions.page", None),
    "build.refused": ("builds.page", None),
    "build.refusals_dismissed": ("builds.page", None),
    "upload.cancelled": ("game.page", None),
    "upload.expired": ("game.page", None),
}
_OF_A_PARTNER = {
    "partner.created": "partner.page",
    "partner.renamed": "partner.page",
    "partner.quota_set": "quota.page",
}


def member_links(entries: Sequence[HistoryEntry]) -> dict[int, str]:
    """Id of an entry → address, for the log of a partner or of a game, which a member of the partner reads."""
    existing = existing_subjects(entries)
    return _found({entry.id: _of_game(entry, existing) or _of_partner(entry, existing) for entry in entries})


def operator_links(entries: Sequence[HistoryEntry], partners: Collection[str]) -> dict[int, str]:
    """Id of an entry → address, for operators. They see servers, partners and their members, and no games.
    `partners`: ids of those that exist."""
    servers, members = existing_servers(entries), existing_members(entries)
    return _found({entry.id: _for_operator(entry, servers, members, partners) for entry in entries})


def _found(urls: dict[int, str]) -> dict[int, str]:
    return {entry_id: url for entry_id, url in urls.items() if url}


def _of_game(entry: HistoryEntry, existing: ExistingSubjects) -> str:
    slug = existing.games.get(entry.game_id or "")
    if slug is None:
        return ""
    if entry.action in _OF_A_GAME:
        endpoint, anchor = _OF_A_GAME[entry.action]
        return url_for(endpoint, slug=slug, _anchor=anchor)
    if entry.action.startswith("build."):
        return _of_build(entry, slug, existing)
    image, component = str(entry.details.get("asset")), str(entry.details.get("component"))
    if entry.action.startswith("asset.") and image in existing.images:
        return url_for("asset.page", slug=slug, asset_id=image)
    if entry.action.startswith("component.") and component in existing.components:
        return url_for("component.page", slug=slug, component_id=component)
    return ""


def _of_build(entry: HistoryEntry, slug: str, existing: ExistingSubjects) -> str:
    number = build_number(entry.subject)
    if number is None or (entry.game_id, number) not in existing.builds:
        return ""
    return url_for("build.page", slug=slug, number=number)


def _of_partner(entry: HistoryEntry, existing: ExistingSubjects) -> str:
    key = existing.keys.get((entry.partner_id or "", key_hint(entry)))
    app = str(entry.details.get("app"))
    if key is not None:
        return url_for("keys.page", _anchor=key)
    if app in existing.apps:
        return url_for("keys.page", _anchor=app)
    for people, name in ((existing.members, "member"), (existing.invitations, "invitation")):
        person = str(entry.details.get(name))
        if person in people:
            return url_for("members.page", q=people[person], _anchor=person)
    return url_for(_OF_A_PARTNER[entry.action]) if entry.action in _OF_A_PARTNER else ""


def _for_operator(
    entry: HistoryEntry, servers: Collection[str], members: Collection[str], partners: Collection[str]
) -> str:
    if entry.action.startswith("server.") and entry.subject in servers:
        return url_for("operator_server.page", server_id=entry.subject)
    if entry.partner_id in partners:
        if entry.action.startswith("partner."):
            return url_for("operator_partner.page", partner_id=entry.partner_id)
        if str(entry.details.get("member")) in members:
            return url_for("operator_partner.page", partner_id=entry.partner_id, _anchor="members-title")
    return ""
