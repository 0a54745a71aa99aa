"""Every partner with its counts and sizes, for operators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.partner import Invitation, Member, Partner
from app.data.pack_sizes import pack_sizes
from app.refusals import NotFound


@dataclass(frozen=True)
class PartnerEntry:
    """Archives and packs of deleted games count until their objects are deleted. `quota_bytes`, None for no limit, is
    for both together."""

    id: str
    name: str
    created_at: datetime
    games: int
    members: int
    owners: int
    invited: int
    archive_bytes: int
    pack_bytes: int
    quota_bytes: int | None

    @property
    def builds_bytes(self) -> int:
        """Archives and packs."""
        return self.archive_bytes + self.pack_bytes


def directory() -> list[PartnerEntry]:
    """All partners by name, in six queries."""
    games = _by_partner(
        select(Game.partner_id, func.count()).where(Game.deleted_at.is_(None)).group_by(Game.partner_id)
    )
    archives = _by_partner(
        select(Game.partner_id, func.sum(Build.size)).join(Build, Build.game_id == Game.id).group_by(Game.partner_id)
    )
    stored = pack_sizes()
    packs = _by_partner(
        select(Game.partner_id, func.sum(stored.c.bytes))
        .join(Build, Build.game_id == Game.id)
        .join(stored, stored.c.build_id == Build.id)
        .group_by(Game.partner_id)
    )
    members = _by_partner(select(Member.partner_id, func.count()).group_by(Member.partner_id))
    owners = _by_partner(
        select(Member.partner_id, func.count()).where(Member.role == "owner").group_by(Member.partner_id)
    )
    invited = (
        select(func.count())
        .where(Invitation.partner_id == Partner.id, Invitation.expires_at > now())
        .correlate(Partner)
        .scalar_subquery()
    )
    partners = db.session.execute(select(Partner, invited).order_by(func.lower(Partner.name), Partner.id)).all()
    return [
        PartnerEntry(
            id=partner.id,
            name=partner.name,
            created_at=partner.created_at,
            games=games.get(partner.id, 0),
            members=members.get(partner.id, 0),
            owners=owners.get(partner.id, 0),
            invited=open_invitations,
            archive_bytes=archives.get(partner.id, 0),
            pack_bytes=packs.get(partner.id, 0),
            quota_bytes=partner.build_quota_bytes,
        )
        for partner, open_invitations in partners
    ]


def partner_by_id(partner_id: str) -> Partner:
    """Raises NotFound."""
    partner = db.session.get(Partner, partner_id)
    if partner is None:
        raise NotFound("This partner does not exist.")
    return partner


def _by_partner(query: Select[Any, int]) -> dict[str, int]:
    return {partner_id: int(amount) for partner_id, amount in db.session.execute(query)}


def partner_names() -> dict[str, str]:
    """Partner id → name, by name."""
    return {row.id: row.name for row in db.session.execute(select(Partner.id, Partner.name).order_by(Partner.name))}
