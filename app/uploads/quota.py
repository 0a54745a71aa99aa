"""A partner's quota of build bytes: what is stored, what is on its way, what is left."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import Build, Game, Partner, Upload
from app.refusals import QuotaExceeded


@dataclass(frozen=True)
class BuildQuota:
    """Bytes. `limit` None: no limit."""

    used: int
    reserved: int
    limit: int | None

    @property
    def left(self) -> int | None:
        return None if self.limit is None else max(0, self.limit - self.used - self.reserved)


def build_quota(session: Session, partner: Partner) -> BuildQuota:
    """Builds of deleted games count until their objects are gone."""
    used = session.scalar(
        select(func.coalesce(func.sum(Build.size), 0))
        .join(Game, Build.game_id == Game.id)
        .where(Game.partner_id == partner.id)
    )
    reserved = session.scalar(
        select(func.coalesce(func.sum(Upload.reserved_bytes), 0))
        .join(Game, Upload.game_id == Game.id)
        .where(Game.partner_id == partner.id)
    )
    return BuildQuota(int(used or 0), int(reserved or 0), partner.build_quota_bytes)


def reserve(session: Session, partner_id: str, size: int) -> int:
    """Check that `size` more bytes fit, holding the partner's row so that two uploads cannot both take the last of
    it; returns what to note on the upload. Raises QuotaExceeded. Inside writing()."""
    partner = session.get_one(Partner, partner_id, with_for_update=True)
    quota = build_quota(session, partner)
    if quota.left is not None and size > quota.left:
        raise QuotaExceeded(
            f"{partner.name} may keep {quota.limit:,} bytes of builds; {quota.used + quota.reserved:,} are taken and "
            f"this archive has {size:,}. Delete games that are no longer needed, or ask the operator for more."
        )
    return size
