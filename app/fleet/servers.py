"""Game servers: adding, authenticating, pausing, retiring."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, literal, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.accounts.secrets import fingerprint, hint, new_secret
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.audit_record import Topic
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.server import Replica, Server
from app.data.prepared_reads import PreparedRead
from app.fleet.costs.sent_bytes import lock_games
from app.fleet.history.rollout_times import games_awaiting, record_cached_everywhere
from app.fleet.play_sessions import end_all
from app.fleet.replicas import plan_new_server, replan_on_server
from app.refusals import Conflict, InvalidRequest, NotFound, Unauthorized
from app.topics.names import FLEET_TOPIC, game_topic, partner_topic, plan_topic

MAX_KEEP_PREVIOUS = 20


def add_server(server_id: str, region: str, actor: Actor) -> tuple[Server, str]:
    """A server and its token, which is shown once. From now on it should hold every released build."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", server_id) or len(server_id) > 40:
        raise InvalidRequest(
            f"'{server_id}' cannot be a server's id. Use at most 40 lowercase letters, digits and hyphens: srv-04.",
            {"id": "lowercase letters, digits and hyphens"},
        )
    token = new_secret("srv")
    server = Server(id=server_id, region=region.strip()[:40], token_hash=fingerprint(token), token_hint=hint(token))
    try:
        with writing() as session:
            if session.get(Server, server_id):
                raise _id_taken(server_id)
            session.add(server)
            session.flush()
            plan_new_server(session, server)
            record(session, actor, "server.added", server_id)
    except IntegrityError:  # on Postgres two calls may pass the look-up at the same time
        raise _id_taken(server_id) from None
    return server, token


def _id_taken(server_id: str) -> Conflict:
    return Conflict(f"There is a server '{server_id}' already. Choose another id, or roll its token.")


def roll_token(server_id: str, actor: Actor, present: str | None = None) -> str:
    """A new token for a server. The old one stops working now. `present`: the hint of the token to replace, so that a
    form that is sent twice rolls once. Raises NotFound or Conflict."""
    token = new_secret("srv")
    with writing() as session:
        server = session.get(Server, server_id, with_for_update={"key_share": True})
        if server is None:
            raise NotFound(f"No server '{server_id}'.")
        if present is not None and present != server.token_hint:
            raise Conflict(
                f"The token of '{server_id}' was rolled already; the new token was shown once. Roll it again if you "
                "did not store it."
            )
        server.token_hash, server.token_hint = fingerprint(token), hint(token)
        record(session, actor, "server.token_rolled", server_id)
    return token


def retire_server(server_id: str, actor: Actor) -> None:
    """Remove a server from the fleet: its token stops working, its sessions count as ended, and partners no longer see
    it. Raises NotFound."""
    with writing() as session:
        server = session.get(Server, server_id, with_for_update={"key_share": True})
        if server is None:
            raise NotFound(f"No server '{server_id}'.")
        if server.retired_at is None:
            awaiting = games_awaiting(session, server_id)
            lock_games(session, awaiting)
            server.retired_at = now()
            record_cached_everywhere(session, awaiting, server.retired_at)
            end_all(session, server)
            record(session, actor, "server.retired", server_id)
            _announce_everywhere(session, server_id)


def _announce_everywhere(session: Session, server_id: str) -> None:
    """To the server itself, the operators, and every partner and game with a build there."""
    games_there = select(Game.id, Game.partner_id).join(Replica).where(Replica.server_id == server_id).distinct()
    for game_id, partner_id in session.execute(games_there):
        announce(game_topic(game_id), partner_topic(partner_id))
    announce(FLEET_TOPIC, plan_topic(server_id))


def pause_server(server_id: str, paused: bool, actor: Actor) -> None:
    """Pause or resume a server's downloads. Builds that it holds stay playable and are not evicted. Raises NotFound."""
    with writing() as session:
        server = session.get(Server, server_id)
        if server is None or server.retired_at:
            raise NotFound(f"No server '{server_id}'.")
        if paused != (server.paused_at is not None):
            server.paused_at = now() if paused else None
            record(session, actor, "server.paused" if paused else "server.resumed", server_id)
            _announce_everywhere(session, server_id)


def set_keep_previous(server_id: str, builds: int, actor: Actor) -> None:
    """How many builds per game the server keeps beside the live one, for rolling back. Raises NotFound, InvalidRequest
    for less than 0 or more than MAX_KEEP_PREVIOUS."""
    if not 0 <= builds <= MAX_KEEP_PREVIOUS:
        rule = f"from 0 to {MAX_KEEP_PREVIOUS} builds"
        raise InvalidRequest(f"A server keeps {rule} for rolling back.", {"keepPrevious": rule})
    with writing() as session:
        server = session.get(Server, server_id, with_for_update={"key_share": True})
        if server is None or server.retired_at:
            raise NotFound(f"No server '{server_id}'.")
        if server.keep_previous == builds:
            return
        server.keep_previous = builds
        record(session, actor, "server.keep_previous", server_id, builds=builds)
        games = session.scalars(
            select(Replica.game_id).where(Replica.server_id == server_id, Replica.phase == "cached").distinct()
        ).all()
        announce(FLEET_TOPIC)
    for game_id in sorted(games):
        replan_on_server(game_id, server_id)


@dataclass(frozen=True)
class RecognisedServer:
    """An active server by its token, as of this moment. Not a row: no session knows it. `plan_version`: of its plan; 0
    if that never changed."""

    id: str
    boot_id: str | None
    sequence: int
    last_report_at: datetime | None
    plan_version: int


_BY_TOKEN = PreparedRead(
    select(Server.id, Server.boot_id, Server.sequence, Server.last_report_at, func.coalesce(Topic.version, 0))
    .outerjoin(Topic, Topic.name == literal(plan_topic("")) + Server.id)
    .where(Server.token_hash == bindparam("token_hash"), Server.retired_at.is_(None)),
    RecognisedServer,
)


def authenticate_server(token: str | None) -> RecognisedServer:
    """The active server with this token. Raises Unauthorized."""
    if not token:
        raise Unauthorized("No server token was sent. Send it as `Authorization: Bearer srv_…`.")
    server = _BY_TOKEN.first(token_hash=fingerprint(token))
    if server is None:
        raise Unauthorized("This server token is unknown. Ask the operator to add the server or roll its token.")
    return server


def server_row(server: RecognisedServer) -> Server:
    """The row of a server that was recognised a moment ago. Raises NotFound if it was deleted meanwhile."""
    found = db.session.get(Server, server.id)
    if found is None:
        raise NotFound(f"'{server.id}' was removed a moment ago. Nothing was changed.")
    return found
