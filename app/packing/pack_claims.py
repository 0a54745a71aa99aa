"""The states of a pack's row while it is made. At most one worker makes a pack: it has a claim in the row.

Each step is one transaction on the locked row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, joinedload

from app.accounts.build_quota import build_quota
from app.config.settings import MIB
from app.data.claims import ClaimHeartbeat
from app.data.database import announce, free_connection, writing
from app.data.extensions import db
from app.data.models.base import new_id, now
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack, PackUpdate
from app.data.models.partner import Partner
from app.packing.due_packs import CLAIMS, MAX_MAKINGS, is_due, is_needed, is_wanted
from app.packing.pack_objects import NamedObject, objects_of_pack, objects_of_update
from app.packing.pack_requests import request_pack
from app.packing.pack_topics import topics_of
from app.packing.update_rows import add_updates
from app.process.crash_points import crash_point
from app.topics.names import game_topic
from slipway.client.sizes import format_size


@dataclass(frozen=True)
class PackClaim:
    """The right of this worker to make one pack. `build` has its game loaded. `folder` is in the bucket; `abandoned` is
    that of an attempt whose worker died. `list_only`: of the pack, only its index is stored."""

    build: Build
    token: str
    folder: str
    abandoned: str | None
    list_only: bool = False

    @property
    def work_bytes(self) -> int:
        """What progress counts: the archive is read, its files are cut, and their chunks are packed."""
        return self.build.size + 2 * self.build.unpacked_bytes


class NoRoom(Exception):
    """The pack cannot be made now. The text is for partners. `figures` is for the operator's log: how full the portal's
    disk is, is not for partners."""

    def __init__(self, text: str, figures: str) -> None:
        super().__init__(text)
        self.figures = figures


class BeyondQuota(Exception):
    """The pack takes more than the partner's quota has left. The text is for people. `needed`: what must be left before
    another attempt is worth its work, bytes."""

    def __init__(self, reason: str, needed: int) -> None:
        super().__init__(reason)
        self.needed = needed


# One transaction per step.
_RESERVED_AHEAD = 32 * MIB


def claim_pack(build_id: str, *, again: bool = False) -> PackClaim | None:
    """Claim a pack that is due, or a requested list of files; with `again`, also one that failed before. None if there
    is nothing to make, if another worker has the claim, or if the partner's quota has no room for the pack, which the
    row then shows. A list is small, and counts against the quota without being refused."""
    try:
        with writing() as session:
            found = session.execute(
                select(Build, is_needed())
                .join(Game, Build.game_id == Game.id)
                .outerjoin(BuildPack, BuildPack.build_id == Build.id)
                .options(joinedload(Build.game))
                .where(Build.id == build_id, is_wanted())
            ).first()
            if found is None:
                return None
            build, needed_by_servers = found
            partner = session.get_one(Partner, build.game.partner_id, with_for_update={"key_share": True})
            row = _lock_due(session, build, again=again)
            if row is None or not (needed_by_servers or row.list_requested):  # its list was made meanwhile
                return None
            left = build_quota(session, partner).left
            token = new_id("maker")
            row.touched_at = now()
            announce(game_topic(build.game_id))
            needed = max(build.size, row.needed_bytes)
            has_room = left is None or left >= needed
            list_only = row.list_requested and not (needed_by_servers and has_room)
            if not list_only and not has_room:
                assert left is not None
                _end(row, "no_room", _quota_reason(build, partner, left, needed))
                announce(*topics_of(session, build_id))
                return None
            row.state, row.maker = "making", token
            row.makings_begun += 1
            claim = PackClaim(build, token, f"packs/{new_id('pack')}", row.folder, list_only)
            row.folder, row.list_requested = claim.folder, list_only
            row.pack_bytes = 0 if list_only else needed
            row.bytes_done, row.bytes_total = 0, claim.work_bytes
            row.reason = None
            return claim
    finally:
        free_connection()  # the claimed row stays readable


def _lock_due(session: Session, build: Build, *, again: bool) -> BuildPack | None:
    request_pack(session, build)
    row = session.get_one(BuildPack, build.id, with_for_update=True, populate_existing=True)
    due = bool(session.scalar(select(is_due()).where(BuildPack.build_id == build.id)))
    if again and row.state in {"waiting", "listed", "no_room", "failed"}:
        row.makings_begun = row.needed_bytes = 0
        return row
    if due and row.makings_begun >= MAX_MAKINGS:
        # The attempts ended without a word: their processes were killed.
        _end(row, "failed", f"Making it was interrupted {MAX_MAKINGS} times. The server's log has more.")
        announce(*topics_of(session, build.id))
        return None
    return row if due else None


def _quota_reason(build: Build, partner: Partner, left: int, needed: int) -> str:
    return (
        f"The pack of build {build.number} takes about {format_size(needed)}, and the quota of {partner.name} has "
        f"{format_size(left)} left. Delete builds that are no longer needed, or ask the operator for more. The pack is "
        "made automatically when there is room."
    )


def cover_pack(claim: PackClaim, size: int) -> int:
    """Make sure that `size` bytes are reserved for the pack, which may be many times as large as its archive: a few
    bytes that differ in thousands of files cost an archive almost nothing. Returns the bytes that are reserved. Raises
    BeyondQuota."""
    try:
        with writing() as session:
            partner = session.get_one(Partner, claim.build.game.partner_id, with_for_update={"key_share": True})
            row = _lock_own(session, claim)
            if row is None or size <= row.pack_bytes:  # the heartbeat sees that the claim is lost
                return size if row is None else row.pack_bytes
            left = build_quota(session, partner).left
            if left is not None and size - row.pack_bytes > left:
                # Only a lower bound is known. A quarter more keeps attempts few that end the same way.
                needed = max(size, min(size * 5 // 4, claim.build.unpacked_bytes))
                raise BeyondQuota(
                    f"The pack of build {claim.build.number} takes more than {format_size(row.pack_bytes + left)}, and "
                    f"the quota of {partner.name} has no more left for it. Delete builds that are no longer needed, or "
                    f"ask the operator for more. It is tried again when {format_size(needed)} are left.",
                    needed,
                )
            most = size + _RESERVED_AHEAD
            row.pack_bytes = most if left is None else min(most, row.pack_bytes + left)
            return row.pack_bytes
    finally:
        free_connection()


def owns_claim(claim: PackClaim) -> bool:
    """Whether this worker still has the claim: the build was not deleted, and nobody took the work over."""
    return CLAIMS.owns(claim.build.id, claim.token)


def is_kept(claim: PackClaim) -> bool:
    """Whether this attempt has become the pack, or the list of files."""
    ready = and_(BuildPack.folder == claim.folder, BuildPack.state == "ready")
    mine = select(BuildPack.build_id).where(or_(ready, BuildPack.list_folder == claim.folder))
    found = db.session.scalar(mine)
    free_connection()
    return found is not None


def free_claim(claim: PackClaim) -> None:
    """End an attempt without a result, because storage does not answer or the process stops."""
    CLAIMS.free(claim.build.id, claim.token, state="waiting", folder=None, pack_bytes=0, bytes_done=0)


def end_without_room(claim: PackClaim, reason: str, needed_bytes: int | None = None) -> None:
    """End an attempt for which the disk or the quota has no room. It is repeated later, when the quota has
    `needed_bytes` left, and does not count."""
    with writing() as session:
        row = _lock_own(session, claim)
        if row is not None:
            row.makings_begun -= 1
            if needed_bytes is not None:
                row.needed_bytes = needed_bytes
            _end(row, "no_room", reason)
            announce(*topics_of(session, row.build_id))
    free_connection()


def end_failed(claim: PackClaim, reason: str, *, for_good: bool) -> None:
    """End a failed attempt. The last one, or one that fails the same way each time, ends the making `for_good`."""
    with writing() as session:
        row = _lock_own(session, claim)
        if row is not None:
            _end(row, "failed" if for_good or row.makings_begun >= MAX_MAKINGS else "waiting", reason)
            announce(*topics_of(session, row.build_id))
    free_connection()


def finish(claim: PackClaim, made: BuildPack, updates: Sequence[PackUpdate]) -> Sequence[NamedObject] | None:
    """Publish a pack whose objects are stored, with the updates to it, or a list of files. `made` has the values of the
    row. Returns objects that belong to nobody: the list that was there before, and updates that were not added. None if
    the claim was lost: then all objects belong to nobody."""
    with writing() as session:
        row = _lock_own(session, claim)
        if row is None:
            return None
        left = objects_of_pack(row)
        if claim.list_only:
            # Released meanwhile: servers wait for the pack.
            _end(row, "waiting" if row.awaited_until else "listed", None)
            row.list_folder, row.list_requested, row.makings_begun = claim.folder, False, 0
        else:
            _end(row, "ready", None)
            row.folder, row.list_folder, row.needed_bytes = claim.folder, None, 0
        row.pack_bytes, row.index_bytes = made.pack_bytes, made.index_bytes
        row.index_sha256, row.index_size = made.index_sha256, made.index_size
        row.bytes_done, row.made_at = row.bytes_total, now()
        added = add_updates(session, updates)
        announce(*topics_of(session, row.build_id))
        crash_point("in-pack-publish")
    crash_point("pack-published")
    free_connection()
    unnamed = [update for update in updates if update not in added]
    return left + [found for update in unnamed for found in objects_of_update(update)]


def _lock_own(session: Session, claim: PackClaim) -> BuildPack | None:
    row = session.get(BuildPack, claim.build.id, with_for_update=True, populate_existing=True)
    return row if row is not None and row.maker == claim.token else None


def _end(row: BuildPack, state: str, reason: str | None) -> None:
    row.state = state  # type: ignore[assignment]  # callers pass a state
    row.reason = reason[:500] if reason else None
    row.maker = row.folder = None
    row.touched_at = now()
    row.pack_bytes = row.bytes_done = 0
    if state != "waiting":  # another attempt follows soon
        row.awaited_until = None


class PackHeartbeat(ClaimHeartbeat):
    """Keeps the claim on a pack alive. Set `bytes_done`, of the claim's `work_bytes`."""

    def __init__(self, app: Flask, claim: PackClaim) -> None:
        self.bytes_done = 0
        topics = [game_topic(claim.build.game_id)]
        super().__init__(app, CLAIMS, claim.build.id, claim.token, lambda: {"bytes_done": self.bytes_done}, topics)
