"""Releasing a build: from now on, players get it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit.rollbacks import RELEASED
from app.accounts.audit_log import record
from app.catalog.retention import apply_retention_later
from app.data.database import announce, lock_for_update, writing
from app.data.models.base import now
from app.data.models.game import Build, Game, Release
from app.fleet.active_servers import active_servers
from app.fleet.history.rollout_times import record_cached_everywhere
from app.fleet.replicas import replan
from app.packing.pack_requests import await_pack
from app.refusals import NotFound
from app.topics.names import catalog_topic
from app.topics.queue import enqueue


@dataclass(frozen=True)
class ReleaseResult:
    """`made`: False if the build was live already; `release` is then the one that made it live."""

    release: Release
    build: Build
    made: bool


def make_release(game: Game, number: int, actor: Actor) -> ReleaseResult:
    """Release a build. Releasing the live build again changes nothing. Raises NotFound."""
    with writing() as session:
        lock_for_update(session, game)
        build = session.scalar(select(Build).where(Build.game_id == game.id, Build.number == number))
        if build is None or game.deleted_at is not None:
            raise NotFound(f"'{game.slug}' has no build {number}. Choose one of its builds.")
        made = game.released_build_id != build.id
        if made:
            set_live_build(session, game, build, actor)
        newest = select(Release).where(Release.game_id == game.id).order_by(Release.id.desc()).limit(1)
        # Read again: the time at which it is cached everywhere may have been set by an UPDATE.
        found = session.scalars(newest.execution_options(populate_existing=True)).one()
    if made:
        enqueue("make_packs", build.id)
        if game.keep_builds is not None:
            apply_retention_later(game.id)
    return ReleaseResult(found, build, made)


def release(game: Game, number: int, actor: Actor) -> Build:
    """`make_release()`, for callers that only want the build."""
    return make_release(game, number, actor).build


def set_live_build(session: Session, game: Game, build: Build, actor: Actor) -> None:
    at = now()
    live = session.get(Build, game.released_build_id) if game.released_build_id else None
    build.first_released_at = build.first_released_at or at
    build.released_at = at
    game.released_build_id = build.id
    game.updated_at = at
    session.add(
        Release(game_id=game.id, build_id=build.id, build_number=build.number, released_at=at, released_by=actor.name)
    )
    subject = f"{game.title}, build {build.number}"
    record(session, actor, RELEASED, subject, game=game, replaced=live.number if live else None)
    session.flush()
    await_pack(session, build, at)
    replan(session, game, active_servers(session))
    record_cached_everywhere(session, [game.id], at)  # a rollback may find a copy on every server
    announce(catalog_topic(game.partner_id))
