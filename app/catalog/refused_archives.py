"""Rejected archives of a game: what is shown of them, and dismissing what has been read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.data.database import announce, lock_for_update, writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry, DismissedRefusal
from app.data.models.game import Game
from app.refusals import NotFound
from app.topics.names import game_topic

MAX_CONSIDERED = 100  # newest refusals of a game; older ones are only in the audit log


@dataclass(frozen=True)
class RefusedArchive:
    """Refusals for the same reason. `newest`: its audit entry; `code`, `reason`: of the rule that was broken; `times`:
    how often it happened."""

    newest: AuditEntry
    code: str
    reason: str
    times: int

    @property
    def texts(self) -> Sequence[str]:
        """What a search looks at."""
        return self.reason, str((self.newest.details or {}).get("file_name") or ""), self.newest.actor


def refused_archives(game: Game) -> Sequence[RefusedArchive]:
    """The refusals that nobody has dismissed, newest first, one for each reason. One query."""
    by_reason: dict[tuple[str, str], list[AuditEntry]] = {}
    for entry in db.session.scalars(_open_refusals(game)):
        by_reason.setdefault(_reason(entry), []).append(entry)
    return [RefusedArchive(entries[0], *reason, len(entries)) for reason, entries in by_reason.items()]


def dismiss_refusals(game: Game, entry_id: int, actor: Actor, *, all_reasons: bool) -> int:
    """Dismiss a refusal and the older ones with the same reason; with `all_reasons`, all older ones. Newer refusals
    stay: nobody has read them yet. Returns how many were dismissed now. Raises NotFound if the game has no such
    refusal."""
    with writing() as session:
        lock_for_update(session, game)
        entry = session.get(AuditEntry, entry_id)
        if entry is None or entry.game_id != game.id or entry.action != "build.refused":
            raise NotFound(f"'{game.slug}' has no rejected archive {entry_id}. Reload the page.")
        found = [
            other
            for other in session.scalars(_open_refusals(game))
            if other.id <= entry.id and (all_reasons or _reason(other) == _reason(entry))
        ]
        session.add_all(DismissedRefusal(entry_id=other.id, dismissed_by=actor.name) for other in found)
        if found:
            record(session, actor, "build.refusals_dismissed", game.title, game=game, entries=len(found))
            announce(game_topic(game.id))
    return len(found)


def _open_refusals(game: Game) -> Select[AuditEntry]:
    newest = (
        select(AuditEntry.id)
        .where(AuditEntry.game_id == game.id, AuditEntry.action == "build.refused")
        .order_by(AuditEntry.id.desc())
        .limit(MAX_CONSIDERED)
        .subquery()
    )
    return (
        select(AuditEntry)
        .join(newest, newest.c.id == AuditEntry.id)
        .outerjoin(DismissedRefusal, DismissedRefusal.entry_id == AuditEntry.id)
        .where(DismissedRefusal.entry_id.is_(None))
        .order_by(AuditEntry.id.desc())
    )


def _reason(entry: AuditEntry) -> tuple[str, str]:
    known = entry.details or {}
    return str(known.get("code") or ""), str(known.get("reason") or "")
