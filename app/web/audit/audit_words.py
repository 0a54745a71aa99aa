"""The audit log as text: words for each action, and rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from app.accounts.audit.audit_history import HistoryEntry
from app.accounts.audit.rollbacks import RELEASED, ROLLED_BACK
from app.web.frame.formats import NO_BREAK_SPACE, Moment, counted, format_limit, format_size
from app.web.lists.list_address import ListAddress

# Action -> words. Pages show the subject after them.
ACTION_WORDS = {
    "game.created": "Registered",
    "game.updated": "Changed",
    "game.deleted": "Deleted",
    "game.cover_picked": "Set the cover of",
    "game.screenshots_picked": "Set the screenshots of",
    "asset.confirmed": "Added the image",
    "asset.deleted": "Deleted the image",
    "asset.restored": "Restored the image",
    "components.saved": "Saved components of",
    "component.deleted": "Deleted the",
    "component.side_set": "Changed a side of",
    "revision.finalized": "Finalized",
    "build.ready": "Sent",
    "build.refused": "Rejected",
    "build.refusals_dismissed": "Dismissed rejected archives of",
    RELEASED: "Released",
    ROLLED_BACK: "Rolled back to",
    "build.noted": "Changed the note of",
    "build.deleted": "Deleted",
    "upload.cancelled": "Cancelled an upload of",
    "upload.expired": "Upload expired:",
    "build.retried": "Retried",
    "key.created": "Created a key",
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
    "member.renamed": "Changed their name to",
    "member.password_changed": "Changed the password of",
    "member.password_link_made": "Created a password link for",
    "member.password_set": "Set a new password of",
    "member.browser_signed_out": "Signed out the browser",
    "member.signed_out_everywhere": "Signed out everywhere",
    "partner.created": "Created the partner",
    "partner.renamed": "Renamed the partner",
    "partner.removed": "Removed the partner",
    "partner.quota_set": "Set the quota of",
    "server.added": "Added the server",
    "server.token_rolled": "Rolled the token of",
    "server.retired": "Retired the server",
    "server.paused": "Paused downloads of",
    "server.resumed": "Resumed downloads of",
    "server.retried": "Retried failed downloads on",
    "server.keep_previous": "Changed how many builds are kept for rolling back on",
}


def action_words(action: str) -> str:
    """The words for an action. An action without an entry is still readable: `asset.used` -> `Asset used`."""
    return ACTION_WORDS.get(action) or action.replace(".", " ").replace("_", " ").capitalize()


def details(entry: HistoryEntry) -> str:
    """The second line of an entry, or "": the hint of the key that it is about, and what else is known."""
    return " · ".join(part for part in (entry.subject_text.hint, _details(entry)) if part)


def _details(entry: HistoryEntry) -> str:
    known = entry.details
    if entry.replaced is not None:
        return f"Build {entry.replaced} was live before"
    if entry.action == "build.refused":
        return str(known.get("reason") or "")
    if entry.action == "build.refusals_dismissed":
        return counted(int(known.get("entries") or 0), "archive")
    if entry.action in {"build.ready", "asset.confirmed"} and isinstance(known.get("size"), int):
        return format_size(known["size"])
    if entry.action == "partner.quota_set":
        amount = known.get("bytes")
        return format_limit(amount) if isinstance(amount, int) else "No limit"
    if entry.action == "key.rolled":
        return f"New key: {known.get('new')}"
    if known.get("side"):
        return f"Side: {known['side']}"
    if known.get("scopes"):
        return f"Scopes: {', '.join(known['scopes'])}"
    if known.get("changed"):
        return f"Changed: {', '.join(known['changed'])}".replace("_", NO_BREAK_SPACE)
    return ""


@dataclass(frozen=True)
class AuditLine:
    """One row of the log. `who_key`: the hint of the key that `who` is, or "". `who_url`: the log with only the actions
    of this person or key. `subject_url`: the page of the subject, or ""."""

    id: int
    at: Moment
    who: str
    who_key: str
    who_url: str
    address: str
    what: str
    subject: str
    subject_url: str
    details: str

    @classmethod
    def of(cls, entry: HistoryEntry, log: ListAddress, links: Mapping[int, str], **more: str) -> Self:
        """`log`: the log that the row is in. `links`: id of an entry → the page of its subject. `more`: the fields that
        a subclass adds."""
        return cls(
            id=entry.id,
            at=Moment(entry.at),
            who=entry.actor_text.text,
            who_key=entry.actor_text.hint,
            who_url=log.first_page(who=entry.actor).url(),
            address=entry.address,
            what=action_words(entry.action),
            subject="" if entry.subject == entry.actor else entry.subject_text.text,
            subject_url=links.get(entry.id, ""),
            details=details(entry),
            **more,
        )
