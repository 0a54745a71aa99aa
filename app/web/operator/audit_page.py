"""The audit log of the whole platform."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts.audit_history import history
from app.accounts.partner_list import partner_names
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.partner import Partner
from app.web.frame.query_parameters import query_number
from app.web.operator.operator_access import require_operator
from app.web.settings.audit_words import AuditLine, KindFilters, kind_links, selected_kind

pages = Blueprint("operator_audit", __name__)
pages.before_request(require_operator)

KINDS: KindFilters = {
    "": ("All", ""),
    "servers": ("Servers", "server."),
    "partners": ("Partners", "partner."),
    "members": ("Members", "member."),
    "keys": ("Keys", "key."),
    "games": ("Games", "game."),
    "builds": ("Builds", "build."),
}


@dataclass(frozen=True)
class OperatorAuditLine(AuditLine):
    """One row. `partner` is "" for an action on the platform itself."""

    partner: str
    partner_id: str


@pages.get("/operator/audit")
def page() -> ResponseReturnValue:
    """The log, newest first, in pages. The filters are in the URL."""
    kind = selected_kind(KINDS)
    names = partner_names()
    chosen = db.session.get(Partner, request.args.get("partner", ""))
    before = query_number("before")
    found = history(partner=chosen, action=KINDS[kind][1] or None, before=before)

    def address(kind: str, before: int | None = None) -> str:
        partner = chosen.id if chosen else None
        return url_for("operator_audit.page", kind=kind or None, partner=partner, before=before)

    return render_template(
        "operator/audit.html",
        entries=[_entry(entry, names) for entry in found.entries],
        segments=kind_links(KINDS, address),
        kind=kind,
        chosen=chosen,
        partners=list(names.items()),
        filtered=bool(kind or chosen),
        newest=address(kind) if before else "",
        older=address(kind, found.older) if found.older else "",
    )


def _entry(entry: AuditEntry, names: dict[str, str]) -> OperatorAuditLine:
    partner = names.get(entry.partner_id or "", "")
    return OperatorAuditLine.of(
        entry,
        partner="" if partner == entry.subject else partner,
        partner_id=entry.partner_id or "" if partner else "",
    )
