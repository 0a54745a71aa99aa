"""A partner's quota of build bytes: archives, packs, reserved, left."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.data.models.game import Build, Game
from app.data.models.partner import Partner, PartnerIdentity
from app.data.models.upload import Upload
from app.data.pack_sizes import pack_sizes
from app.refusals import QuotaExceeded
from slipway.client.sizes import format_limit, format_size

_SHARE_AHEAD = 16  # a growing upload reserves at most this fraction of the rest ahead, so that others have room too


@dataclass(frozen=True)
class BuildQuota:
    """Bytes. `archives` and `packs` are stored; packs that are being made count with an estimate. `limit` None: no
    limit."""

    archives: int
    packs: int
    reserved: int
    limit: int | None

    @property
    def used(self) -> int:
        return self.archives + self.packs

    @property
    def left(self) -> int | None:
        return None if self.limit is None else max(0, self.limit - self.used - self.reserved)


def build_quota(session: Session, partner: PartnerIdentity) -> BuildQuota:
    """Builds of deleted games count until their objects are deleted."""
    sizes = pack_sizes()
    packs = session.scalar(
        select(func.coalesce(func.sum(sizes.c.bytes), 0))
        .join(Build, sizes.c.build_id == Build.id)
        .join(Game, Build.game_id == Game.id)
        .where(Game.partner_id == partner.id)
    )
    archives = session.scalar(
        select(func.coalesce(func.sum(Build.size), 0))
        .join(Game, Build.game_id == Game.id)
        .where(Game.partner_id == partner.id)
    )
    reserved = session.scalar(
        select(func.coalesce(func.sum(Upload.reserved_bytes), 0))
        .outerjoin(Game, Upload.game_id == Game.id)
        .where(func.coalesce(Game.partner_id, Upload.partner_id) == partner.id)
    )
    limit = session.scalar(select(Partner.build_quota_bytes).where(Partner.id == partner.id))
    return BuildQuota(int(archives or 0), int(packs or 0), int(reserved or 0), limit)


def reserve(session: Session, partner_id: str, size: int) -> int:
    """Check that `size` more bytes fit, with the partner's row locked, so that two uploads cannot both reserve the last
    bytes. Returns the number to store on the upload. Raises QuotaExceeded. Inside writing()."""
    partner = session.get_one(Partner, partner_id, with_for_update=True)
    quota = build_quota(session, partner)
    if quota.left is not None and size > quota.left:
        raise _exceeded(partner, quota.left, f"This archive has {format_size(size)}.")
    return size


def reserve_more(session: Session, partner_id: str, upload: Upload, received: int, ahead: int) -> None:
    """Raise the upload's reservation to `received` bytes, and up to `ahead` more. Raises QuotaExceeded when `received`
    does not fit. Locks the partner's row like `reserve`. Inside writing()."""
    partner = session.get_one(Partner, partner_id, with_for_update=True)
    quota = build_quota(session, partner)
    if quota.left is not None:
        room = upload.reserved_bytes + quota.left - received
        if room < 0:
            left = quota.left + upload.reserved_bytes
            raise _exceeded(partner, left, f"Of this archive {format_size(received)} arrived, and it is not complete.")
        ahead = min(ahead, room // _SHARE_AHEAD)
    upload.reserved_bytes = received + ahead


def _exceeded(partner: Partner, left: int, archive: str) -> QuotaExceeded:
    limit = format_limit(partner.build_quota_bytes or 0)
    return QuotaExceeded(
        f"{partner.name} may keep {limit} of builds, and {format_size(left)} are left. {archive} Delete builds or "
        "games that are no longer needed, or ask the operator for more."
    )
