"""Bytes that servers will fetch for builds they have not begun to download: what the matrix shows for each."""

from __future__ import annotations

from collections import Counter, defaultdict

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import joinedload

from app.data.database import in_batches
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.server import Replica
from app.fleet.costs.transfer_costs import NOT_BEGUN, bytes_to_fetch, transfer_costs
from app.fleet.replicas import builds_after_release


def queued_bytes(chosen: ColumnElement[bool]) -> Counter[str]:
    """By server id, of the replicas that match `chosen` and NOT_BEGUN. One query if there are none, else four per
    5,000 games."""
    places = db.session.execute(
        select(Replica.game_id, Replica.server_id, Replica.build_id)
        .join(Game, Replica.game_id == Game.id)
        .where(chosen, NOT_BEGUN)
    ).all()
    queued = {(place.server_id, place.build_id) for place in places}
    servers = {place.server_id for place in places}
    of_game: dict[tuple[str, str], list[Replica]] = defaultdict(list)
    for games in in_batches(sorted({place.game_id for place in places})):
        query = select(Replica).where(Replica.game_id.in_(games)).options(joinedload(Replica.build))
        if len(servers) == 1:  # for the page of one server, read nothing of the others
            query = query.where(Replica.server_id == next(iter(servers)))
        for replica in db.session.scalars(query.options(joinedload(Replica.server))):
            if replica.server_id in servers:
                of_game[replica.server_id, replica.game_id].append(replica)
    costs = transfer_costs({replica.build_id for there in of_game.values() for replica in there})
    found: Counter[str] = Counter()
    for (server_id, _), there in of_game.items():
        for replica in there:
            if (server_id, replica.build_id) in queued:
                held = builds_after_release(replica.build_id, replica.server, there)
                cost = costs.for_server(replica.build, held)
                found[server_id] += bytes_to_fetch(replica, cost)
    return found
