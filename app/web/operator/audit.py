"""The whole audit log: who did what, in which partner, from where."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.extensions import db
from app.models import AuditEntry, Partner
from app.partners.history import history
from app.web.formats import Moment
from app.web.operator.entrance import require_operator
from app.web.settings.deeds import DEEDS, deed, details

pages = Blueprint("operator_audit", __name__)
pages.before_request(require_operator)

# Key in the address -> (label, how the actions begin).
KINDS = {
    "": ("All", ""),
    "servers": ("Servers", "server."),
    "partners": ("Partners", "partner."),
    "members": ("Members", "member."),
    "keys": ("Keys", "key."),
    "games": ("Games", "game."),
    "builds": ("Builds", "build."),
}
_OF_SERVERS = {
    "server.added": "Added the server",
    "server.token_rolled": "Rolled the token of",
    "server.retired": "Retired the server",
    "server.paused": "Paused downloads of",
    "server.resumed": "Resumed downloads of",
    "server.retried": "Had everything that failed tried again on",
}


@dataclass(frozen=True)
class Entry:
    """One row. `partner` is "" for what concerns the platform."""

    id: int
    at: Moment
    who: str
    address: str
    what: str
    subject: str
    details: str
    partner: str
    partner_id: str


@dataclass(frozen=True)
class Segment:
    key: str
    label: str
    url: str


@pages.get("/operator/audit")
def page() -> ResponseReturnValue:
    """Newest first, in pages; filters are in the address."""
    kind = request.args.get("kind", "") if request.args.get("kind", "") in KINDS else ""
    names = {row.id: row.name for row in db.session.execute(select(Partner.id, Partner.name).order_by(Partner.name))}
    chosen = db.session.get(Partner, request.args.get("partner", ""))
    before = request.args.get("before", type=int)
    found = history(partner=chosen, action=KINDS[kind][1] or None, before=before)

    def address(kind: str, before: int | None = None) -> str:
        partner = chosen.id if chosen else None
        return url_for("operator_audit.page", kind=kind or None, partner=partner, before=before)

    return render_template(
        "operator/audit.html",
        entries=[_entry(entry, names) for entry in found.entries],
        segments=[Segment(key, label, address(key)) for key, (label, _) in KINDS.items()],
        kind=kind,
        chosen=chosen,
        partners=list(names.items()),
        filtered=bool(kind or chosen),
        newest=address(kind) if before else "",
        older=address(kind, found.older) if found.older else "",
    )


def _entry(entry: AuditEntry, names: dict[str, str]) -> Entry:
    what = DEEDS.get(entry.action) or _OF_SERVERS.get(entry.action) or deed(entry.action)
    partner = names.get(entry.partner_id or "", "")
    return Entry(
        id=entry.id,
        at=Moment(entry.at),
        who=entry.actor,
        address=entry.address or "",
        what=what,
        subject="" if entry.subject == entry.actor else entry.subject,
        details=details(entry),
        partner="" if partner == entry.subject else partner,
        partner_id=entry.partner_id or "" if partner else "",
    )
