"""Which builds each server should hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session, load_only
from sqlalchemy.orm.attributes import set_committed_value

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.data.database import announce, insert_on_conflict, writing
from app.data.list_parameters import is_among
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.server import Replica, Server
from app.refusals import Conflict, NotFound
from app.topics.names import FLEET_TOPIC, game_topic, partner_topic, plan_topic


def wanted_build_ids(released_build_id: str | None, replicas: Sequence[Replica]) -> set[str]:
    """For one game on one server: the released build. Until that is cached there, also the newest cached build that was
    released before, so that a release never interrupts play. `replicas` need their builds loaded."""
    if released_build_id is None:
        return set()
    wanted = {released_build_id}
    if any(r.build_id == released_build_id and r.phase == "cached" for r in replicas):
        return wanted
    fallbacks = [r for r in replicas if r.phase == "cached" and r.build.released_at and r.build_id != released_build_id]
    if fallbacks:
        newest = max(fallbacks, key=lambda r: r.build.released_at or r.build.created_at)
        wanted.add(newest.build_id)
    return wanted


def kept_build_ids(
    released_build_id: str | None, replicas: Sequence[Replica], wanted: set[str], keep_previous: int
) -> set[str]:
    """For one game on one server: the cached builds that stay for rolling back. They are those of the `keep_previous`
    builds released before the live one that are not wanted anyway.

    Never builds that only the server's reports name: the plan gives the address of a kept build.
    """
    if released_build_id is None:
        return set()
    previous = [
        r
        for r in replicas
        if r.phase == "cached"
        and r.build.released_at
        and r.build_id != released_build_id
        and (r.wanted or r.kept or r.left_plan_at)
    ]
    previous.sort(key=lambda r: r.build.released_at or r.build.created_at, reverse=True)
    return {r.build_id for r in previous[:keep_previous]} - wanted


def builds_after_release(build_id: str, server: Server, replicas: Sequence[Replica]) -> list[Build]:
    """For one game on one server: the cached builds that stay when a build is released, so that it can be updated from
    them. A paused server keeps all."""
    wanted = wanted_build_ids(build_id, replicas)
    stay = wanted | kept_build_ids(build_id, replicas, wanted, server.keep_previous)
    return [r.build for r in replicas if r.phase == "cached" and (server.paused_at or r.build_id in stay)]


def is_in_plan(server: Server) -> ColumnElement[bool]:
    """Whether a replica is in the server's plan: builds that the server should hold, or keep. On a paused server, where
    nothing may change, also cached builds that left the plan. Never builds that only the server's reports name."""
    planned = or_(Replica.wanted, Replica.kept)
    if server.paused_at is None:
        return planned
    return or_(planned, and_(Replica.phase == "cached", Replica.left_plan_at.is_not(None)))


def is_plan_current(released_build_id: str | None, replicas: Sequence[Replica], keep_previous: int) -> bool:
    """Whether the flags of one game on one server match `wanted_build_ids` and `kept_build_ids`."""
    wanted = wanted_build_ids(released_build_id, replicas)
    kept = kept_build_ids(released_build_id, replicas, wanted, keep_previous)
    return wanted == {r.build_id for r in replicas if r.wanted} and kept == {r.build_id for r in replicas if r.kept}


def replan(session: Session, game: Game, servers: Iterable[Server]) -> None:
    """Update the flags `wanted` and `kept` of one game's replicas for its released build. Inside writing(), with the
    game's row locked: a release and a report that plan from different builds would leave flags that match neither."""
    servers = list(servers)
    by_server: dict[str, list[Replica]] = {server.id: [] for server in servers}
    for row in _lock_replicas(session, game.id, list(by_server)):
        by_server[row.server_id].append(row)
    released = None
    if game.deleted_at is None and game.released_build_id:
        released = session.get_one(Build, game.released_build_id)
    for server in servers:
        _replan_one(session, released, server, by_server[server.id])
    if released:
        without = [server.id for server in servers if released.id not in {r.build_id for r in by_server[server.id]}]
        add_to_plans(session, [(server_id, released) for server_id in without])
    announce(*(plan_topic(server.id) for server in servers))
    announce(game_topic(game.id), partner_topic(game.partner_id), FLEET_TOPIC)


# The columns that planning reads. A release to 500 servers loads thousands of rows.
_PLANNED = load_only(
    Replica.server_id,
    Replica.build_id,
    Replica.wanted,
    Replica.kept,
    Replica.left_plan_at,
    Replica.phase,
    Replica.bytes_done,
)


def _lock_replicas(session: Session, game_id: str, server_ids: Sequence[str]) -> Sequence[Replica]:
    """The game's replicas on these servers, locked, with their builds. Each build is loaded once, because all servers
    hold the same ones."""
    dialect = session.get_bind().dialect.name
    query = select(Replica).where(Replica.game_id == game_id, is_among(Replica.server_id, "servers", dialect))
    query = query.order_by(Replica.id).with_for_update(key_share=True).options(_PLANNED)
    rows = session.scalars(query, {"servers": server_ids}).all()
    held = select(Build).where(is_among(Build.id, "builds", dialect))
    builds = {build.id: build for build in session.scalars(held, {"builds": sorted({row.build_id for row in rows})})}
    for row in rows:
        set_committed_value(row, "build", builds[row.build_id])
    return rows


def replan_on_server(game_id: str, server_id: str) -> None:
    """Plan one game on one server again, because a build there became complete or was lost. In a transaction of its
    own: a report locks replicas, and the game's row must always be locked before those."""
    with writing() as session:
        game = session.get(Game, game_id, with_for_update={"key_share": True})
        server = session.get(Server, server_id)
        if game is not None and server is not None and server.retired_at is None:
            replan(session, game, [server])


def _replan_one(session: Session, released: Build | None, server: Server, replicas: list[Replica]) -> None:
    live = released.id if released else None
    wanted = wanted_build_ids(live, replicas)
    kept = kept_build_ids(live, replicas, wanted, server.keep_previous)
    for replica in replicas:
        was_planned = replica.wanted or replica.kept
        replica.kept = replica.build_id in kept
        if replica.build_id in wanted and (not replica.wanted or replica.phase == "removed"):
            replica.wanted = True
            if replica.phase in {"removed", "evicting"}:
                reset_replica(replica)
        elif replica.build_id not in wanted:
            if was_planned and not replica.kept:
                replica.left_plan_at = now()
            replica.wanted = False
            if replica.phase in {"pending", "failed"} and replica.bytes_done == 0:
                session.delete(replica)  # no byte of it reached the server


def add_to_plans(session: Session, missing: Sequence[tuple[str, Build]]) -> None:
    """Add builds to servers' plans, as (server id, build), where they had no rows: in one statement for all. A report
    that names one of the builds may be writing its row now."""
    if not missing:
        return
    rows = [
        {"server_id": server_id, "build_id": build.id, "game_id": build.game_id, "bytes_total": build.size}
        for server_id, build in sorted(missing, key=lambda each: (each[0], each[1].id))
    ]
    session.flush()
    insert = insert_on_conflict(session, Replica)
    insert = insert.on_conflict_do_update(index_elements=["server_id", "build_id"], set_={"wanted": True})
    session.connection().execute(insert, rows)


def reset_replica(replica: Replica) -> None:
    """Reset to the initial state, as if it had never been sent. `cached_at` stays: the server may not have begun to
    remove its copy, and that copy was counted already (app/fleet/costs/sent_bytes.py)."""
    replica.phase = "pending"
    replica.bytes_done = 0
    replica.bytes_per_second = 0
    replica.attempt = 0
    replica.reason = None
    replica.retry_at = None
    replica.since = now()


def plan_new_server(session: Session, server: Server) -> None:
    """Give a new server a replica of every released build. Inside writing()."""
    # Locked until the server's row is committed: a release in between would not see the server, and would not be seen
    # here.
    games = session.scalars(
        select(Game).where(Game.deleted_at.is_(None)).order_by(Game.id).with_for_update(key_share=True)
    ).all()
    partners = {game.id: game.partner_id for game in games}
    known = set(session.scalars(select(Replica.build_id).where(Replica.server_id == server.id)))
    released = select(Build).join(Game, Game.released_build_id == Build.id).where(Game.deleted_at.is_(None))
    builds = session.scalars(released).all()
    add_to_plans(session, [(server.id, build) for build in builds if build.id not in known])
    for build in builds:
        announce(game_topic(build.game_id), partner_topic(partners[build.game_id]))
    announce(plan_topic(server.id), FLEET_TOPIC)


def retry_now(game_id: str, build_number: int, server_id: str, actor: Actor) -> None:
    """ "Retry now" in the dashboard: the agent skips its back-off for this replica. Raises NotFound, or Conflict for a
    server whose downloads are paused."""
    with writing() as session:
        replica = session.scalar(
            select(Replica)
            .join(Build, Replica.build_id == Build.id)
            .where(Build.game_id == game_id, Build.number == build_number, Replica.server_id == server_id)
        )
        if replica is None or not replica.wanted:
            raise NotFound(f"Build {build_number} is not being sent to '{server_id}', so there is nothing to retry.")
        check_not_paused(session.get_one(Server, server_id))
        replica.retries_asked += 1
        replica.retry_at = None
        game = session.get_one(Game, game_id)
        record(session, actor, "build.retried", f"{game.title}, build {build_number} on {server_id}", game=game)
        announce(plan_topic(server_id), game_topic(game_id), partner_topic(game.partner_id), FLEET_TOPIC)


def check_not_paused(server: Server) -> None:
    """Raises Conflict for a server whose downloads are paused: it retries nothing until they are resumed."""
    if server.paused_at:
        raise Conflict(
            f"The downloads of '{server.id}' are paused. Failed builds are retried at once when they are resumed."
        )
