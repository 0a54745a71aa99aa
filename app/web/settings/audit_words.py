"""The audit log in words: what each action was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from flask import request

from app.data.models.audit_record import AuditEntry
from app.web.frame.formats import NO_BREAK_SPACE, Moment, format_size

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
    "build.noted": "Changed the note of",
    "build.deleted": "Deleted",
    "upload.cancelled": "Cancelled an upload of",
    "upload.expired": "Let an upload expire:",
    "build.retried": "Tried again",
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
    "member.password_link_made": "Made a password link for",
    "member.password_set": "Set a new password of",
    "member.browser_signed_out": "Signed out the browser",
    "member.signed_out_everywhere": "Signed out everywhere",
    "partner.created": "Made the partner",
    "partner.renamed": "Renamed the partner",
    "partner.quota_set": "Set the quota of",
    "server.added": "Added the server",
    "server.token_rolled": "Rolled the token of",
    "server.retired": "Retired the server",
    "server.paused": "Paused downloads of",
    "server.resumed": "Resumed downloads of",
    "server.retried": "Had what failed tried again on",
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
        return format_size(known["size"])
    if entry.action == "partner.quota_set":
        amount = known.get("bytes")
        return format_size(amount) if isinstance(amount, int) else "No limit"
    if entry.action == "key.rolled":
        return f"The new one is {known.get('new')}"
    if known.get("side"):
        return f"Side: {known['side']}"
    if known.get("scopes"):
        return f"Scopes: {', '.join(known['scopes'])}"
    if known.get("changed"):
        return f"Changed: {', '.join(known['changed'])}".replace("_", NO_BREAK_SPACE)
    return ""


@dataclass(frozen=True)
class Line:
    """One entry of the log as a row."""

    id: int
    at: Moment
    who: str
    address: str
    what: str
    subject: str
    details: str

    @classmethod
    def of(cls, entry: AuditEntry, **more: str) -> Self:
        """`more` is what a kind of line says beside this."""
        return cls(
            id=entry.id,
            at=Moment(entry.at),
            who=entry.actor,
            address=entry.address or "",
            what=deed(entry.action),
            subject="" if entry.subject == entry.actor else entry.subject,
            details=details(entry),
            **more,
        )


@dataclass(frozen=True)
class Segment:
    """A link to the deeds of one kind."""

    key: str
    label: str
    url: str


# Key in the address -> (label, how the actions begin).
Kinds = Mapping[str, tuple[str, str]]


def kind_asked_for(kinds: Kinds) -> str:
    """Its key in the present address, or "" for all."""
    asked = request.args.get("kind", "")
    return asked if asked in kinds else ""


def segments(kinds: Kinds, address: Callable[[str], str]) -> list[Segment]:
    """A link a kind; `address` makes its URL."""
    return [Segment(key, label, address(key)) for key, (label, _) in kinds.items()]
