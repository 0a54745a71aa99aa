"""The audit log: append-only, one row per action."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.data.models.audit_record import MAX_SUBJECT, AuditEntry
from app.data.models.game import Game


def record(
    session: Session,
    actor: Actor,
    action: str,
    subject: str,
    *,
    partner_id: str | None = None,
    game: Game | None = None,
    **details: Any,
) -> None:
    """Add an entry, inside the transaction of the action itself. A `subject` longer than MAX_SUBJECT is cut: a game
    and a file with the longest names must not prevent the action. `details` must be JSON without secrets."""
    session.add(
        AuditEntry(
            actor=actor.name,
            address=actor.address,
            action=action,
            subject=subject if len(subject) <= MAX_SUBJECT else f"{subject[: MAX_SUBJECT - 1]}…",
            partner_id=game.partner_id if game else partner_id,
            game_id=game.id if game else None,
            details=details,
        )
    )
