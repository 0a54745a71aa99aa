"""API keys of all partners, for the command line."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import contains_eager

from app.accounts.keys import is_active
from app.accounts.secrets import hint
from app.data.extensions import db
from app.data.models.partner import ApiKey, App, Partner
from app.refusals import Conflict, NotFound


def all_keys(partner: Partner | None = None) -> Sequence[ApiKey]:
    """Active keys of one partner or of all: by partner and app, newest first."""
    query = select(ApiKey).join(ApiKey.app).join(App.partner).where(is_active())
    query = query.options(contains_eager(ApiKey.app).contains_eager(App.partner))
    if partner is not None:
        query = query.where(App.partner_id == partner.id)
    return db.session.scalars(query.order_by(func.lower(Partner.name), App.name, ApiKey.created_at.desc())).all()


def key_named(text: str) -> ApiKey:
    """The active key with this id or hint (`pp_8fK2…x9Qd`). Raises NotFound, or Conflict when several have the hint."""
    found = db.session.scalars(
        select(ApiKey).where(is_active(), or_(ApiKey.id == text.strip(), ApiKey.hint == text.strip()))
    ).all()
    if not found:
        # Somebody may have given the key itself, and messages end up in logs.
        shown = hint(text) if text.startswith("pp_") and len(text) > 24 else text
        raise NotFound(f"No active key has the id or hint '{shown}'. `flask key list` lists them.")
    if len(found) > 1:
        raise Conflict(f"{len(found)} keys have the hint {text}. Give the id of one: `flask key list` lists them.")
    return found[0]
