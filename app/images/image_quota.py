"""A partner's quota of asset bytes, kept as an append-only ledger: reserved at presign, stored at confirm, freed at
deletion or expiry. Every change locks the partner's row, so that two cannot both use the last bytes."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.config.settings import settings
from app.data.extensions import db
from app.data.models.asset import Blob, QuotaEntry, StagedAsset
from app.data.models.partner import Partner
from app.refusals import QuotaExceeded
from slipway.client.sizes import format_limit, format_size

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AssetQuota:
    """Bytes. `reserved`: for uploads that are presigned and not confirmed."""

    used: int
    reserved: int
    limit: int

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used - self.reserved)


def asset_quota(session: Session, partner_id: str) -> AssetQuota:
    """The current use and reservations."""
    reserved = _reserved(session, partner_id)
    return AssetQuota(balance(session, partner_id) - reserved, reserved, settings().asset_quota_bytes)


def lock_partner(session: Session, partner_id: str) -> None:
    """Lock the partner's row until the transaction ends: first in the order of locks here, before a revision and before
    a blob. Rows that only refer to the partner may still be added."""
    session.execute(select(Partner.id).where(Partner.id == partner_id).with_for_update(key_share=True)).scalar_one()


def balance(session: Session, partner_id: str) -> int:
    """Used bytes of the quota, including reservations."""
    newest = select(QuotaEntry.balance).where(QuotaEntry.partner_id == partner_id)
    return session.scalar(newest.order_by(QuotaEntry.id.desc()).limit(1)) or 0


def balances() -> dict[str, int]:
    """The balance of every partner that ever had an image, by the partner's id."""
    newest = select(func.max(QuotaEntry.id)).group_by(QuotaEntry.partner_id)
    query = select(QuotaEntry.partner_id, QuotaEntry.balance).where(QuotaEntry.id.in_(newest))
    return dict(db.session.execute(query).all())


def reserve_bytes(session: Session, partner_id: str, size: int, reason: str, subject: str) -> None:
    """Add `size` bytes if they fit. Raises QuotaExceeded. With the partner locked."""
    limit = settings().asset_quota_bytes
    used = balance(session, partner_id)
    if size > 0 and used + size > limit:
        raise QuotaExceeded(
            f"Your images may use {format_limit(limit)} in all, and {format_size(limit - used)} are left. This one has "
            f"{format_size(size)}. Delete images that are not used any more, or ask the operator for more."
        )
    _enter(session, partner_id, size, used, reason, subject)


def free_bytes(session: Session, partner_id: str, size: int, reason: str, subject: str) -> None:
    """Subtract `size` bytes. With the partner locked."""
    _enter(session, partner_id, -size, balance(session, partner_id), reason, subject)


def settle(session: Session, partner_id: str) -> int:
    """Correct the ledger by the rows, after rows were deleted with their game. Returns the correction. With the partner
    locked."""
    counted = select(func.coalesce(func.sum(Blob.size), 0)).where(
        Blob.partner_id == partner_id, Blob.unused_since.is_(None)
    )
    used = balance(session, partner_id)
    correction = int(session.scalar(counted) or 0) + _reserved(session, partner_id) - used
    if correction:
        log.info("the asset ledger of %s is corrected by %s bytes", partner_id, correction)
        _enter(session, partner_id, correction, used, "corrected", partner_id)
    return correction


def _reserved(session: Session, partner_id: str) -> int:
    reserved = select(func.coalesce(func.sum(StagedAsset.reserved_bytes), 0))
    return int(session.scalar(reserved.where(StagedAsset.partner_id == partner_id)) or 0)


def _enter(session: Session, partner_id: str, change: int, before: int, reason: str, subject: str) -> None:
    if change:
        session.add(
            QuotaEntry(
                partner_id=partner_id, byte_change=change, balance=before + change, reason=reason, subject=subject[:64]
            )
        )
        session.flush()  # the next entry of this transaction reads this balance
