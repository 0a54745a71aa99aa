"""The audit log in words: what each action was."""

from __future__ import annotations

from typing import Any

from app.models import AuditEntry
from app.web.formats import SPACE, size

# Action -> what was done; the subject follows it.
DEEDS = {
    "game.created": "Registered",
    "game.updated": "Changed",
    "game.deleted": "Deleted",
    "game.cover_picked": "Picked the cover of",
    "game.screenshots_picked": "Picked screenshots of",
    "asset.confirmed": "Added the image",
    "asset.deleted": "Deleted the image",
    "asset.restored": "Brought back the image",
    "components.saved": "Saved components of",
    "component.deleted": "Deleted the",
    "component.side_set": "Changed a side of",
    "revision.finalized": "Finalized",
    "build.ready": "Sent",
    "build.refused": "Refused",
    "build.released": "Released",
    "key.created": "Made a key",
    "key.rolled": "Rolled a key",
    "key.revoked": "Revoked a key",
    "app.created": "Added an app",
    "app.renamed": "Renamed an app",
    "member.created": "Added",
    "member.invited": "Invited",
    "member.invitation_withdrawn": "Withdrew the invitation of",
    "member.joined": "Joined",
    "member.role_changed": "Changed the role of",
    "member.removed": "Removed",
    "member.renamed": "Took the name",
    "member.password_changed": "Changed the password of",
    "member.signed_out_everywhere": "Signed out everywhere",
    "partner.created": "Made the partner",
    "partner.renamed": "Renamed the partner",
    "partner.quota_set": "Set the quota of",
}


def deed(action: str) -> str:
    """The words of an action; one without words of its own is still readable: `asset.used` -> `Asset used`."""
    return DEEDS.get(action) or action.replace(".", " ").replace("_", " ").capitalize()


def details(entry: AuditEntry) -> str:
    """The second line: what else is worth knowing, or ""."""
    known: dict[str, Any] = entry.details or {}
    if entry.action == "build.refused":
        return str(known.get("reason") or "")
    if entry.action in {"build.ready", "asset.confirmed"} and isinstance(known.get("size"), int):
        return size(known["size"])
    if entry.action == "partner.quota_set":
        amount = known.get("bytes")
        return size(amount) if isinstance(amount, int) else "No limit"
    if entry.action == "key.rolled":
        return f"The new one is {known.get('new')}"
    if known.get("side"):
        return f"Side: {known['side']}"
    if known.get("scopes"):
        return f"Scopes: {', '.join(known['scopes'])}"
    if known.get("changed"):
        return f"Changed: {', '.join(known['changed'])}".replace("_", SPACE)
    return ""
