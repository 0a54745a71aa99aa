"""Requesting a pack in the transaction that publishes or releases its build. The release never waits for it; servers
that play an older build do, for a while, because that is sooner over than fetching the archive."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.config.settings import settings
from app.data.database import announce, free_connection, insert_on_conflict, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.packing.pack_topics import topics_of


def request_pack(session: Session, build: Build) -> None:
    """Make the build's pack due. Inside writing(); call `enqueue("make_packs", build.id)` after the commit."""
    row = insert_on_conflict(session, BuildPack).values(build_id=build.id, state="waiting", touched_at=now())
    session.execute(row.on_conflict_do_nothing())


def await_pack(session: Session, build: Build, released_at: datetime) -> None:
    """The build is live from now on: let servers wait for its pack. Inside writing()."""
    request_pack(session, build)
    until = released_at + timedelta(seconds=settings().pack_wait)
    session.execute(
        update(BuildPack)
        .where(BuildPack.build_id == build.id, BuildPack.state.in_(["waiting", "making"]))
        .values(awaited_until=until)
    )


def end_waits() -> int:
    """End the waits that lasted too long: the servers get a new plan, with the archive. Returns their number."""
    overdue = BuildPack.awaited_until < now()
    found = db.session.scalars(select(BuildPack.build_id).where(overdue)).all()
    free_connection()
    for build_id in found:
        with writing() as session:
            ended = update(BuildPack).where(BuildPack.build_id == build_id, overdue).values(awaited_until=None)
            if session.scalar(ended.returning(BuildPack.build_id)):
                announce(*topics_of(session, build_id))
        free_connection()
    return len(found)
