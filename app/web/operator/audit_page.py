"""The audit log of the whole platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.accounts.audit.audit_history import HistoryEntry, history
from app.accounts.partner_list import partner_names
from app.data.extensions import db
from app.data.models.partner import Partner
from app.web.audit.audit_filters import RELEASE_KINDS, KindFilters, history_filter, log_context, requested_log
from app.web.audit.audit_links import operator_links
from app.web.audit.audit_words import AuditLine, action_words
from app.web.lists.list_address import ListAddress
from app.web.operator.operator_access import require_operator

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
    **RELEASE_KINDS,
}


@dataclass(frozen=True)
class OperatorAuditLine(AuditLine):
    """One row. `partner` is "" for an action on the platform itself."""

    partner: str
    partner_id: str


@pages.get("/operator/audit")
def page() -> ResponseReturnValue:
    """One page of the log. Search, filters, order and page are in the address."""
    address = requested_log("/operator/audit", KINDS, "partner")
    names = partner_names()
    chosen = db.session.get(Partner, address.value("partner"))
    if chosen is None:
        address = address.with_values(partner=None)
    found = history(history_filter(address, KINDS, chosen), action_words)
    links = operator_links(found.entries, names)
    return render_template(
        "operator/audit.html",
        entries=[_entry(entry, names, address, links) for entry in found.entries],
        partners=list(names.items()),
        **log_context(address, KINDS, found, partner=chosen.name if chosen else ""),
    )


def _entry(
    entry: HistoryEntry, names: dict[str, str], address: ListAddress, links: Mapping[int, str]
) -> OperatorAuditLine:
    partner = names.get(entry.partner_id or "", "")
    return OperatorAuditLine.of(
        entry,
        address,
        links,
        partner="" if partner == entry.subject else partner,
        partner_id=entry.partner_id or "" if partner else "",
    )
