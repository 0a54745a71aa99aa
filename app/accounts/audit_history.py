"""Reading the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Game
from app.data.models.partner import Partner

PAGE_SIZE = 50


@dataclass(frozen=True)
class HistoryPage:
    """Newest first. `older` is where the next page begins, or None at the end."""

    entries: Sequence[AuditEntry]
    older: int | None


def history(
    *, partner: Partner | None = None, game: Game | None = None, action: str | None = None, before: int | None = None
) -> HistoryPage:
    """The entries of a partner, of a game, or (with neither) all, for operators. `action` is a prefix: "key."."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(PAGE_SIZE + 1)
    if partner is not None:
        query = query.where(AuditEntry.partner_id == partner.id)
    if game is not None:
        query = query.where(AuditEntry.game_id == game.id)
    if action:
        query = query.where(AuditEntry.action.startswith(action, autoescape=True))
    if before is not None:
        query = query.where(AuditEntry.id < before)
    found = db.session.scalars(query).all()
    entries = found[:PAGE_SIZE]
    return HistoryPage(entries, entries[-1].id if len(found) > PAGE_SIZE else None)
