"""Bytes that servers fetched, and bytes that updates saved, per build and per game.

A transfer counts once, when its copy is complete on the server. `Replica.cached_at` marks copies that were counted: it
is set with the count, in the same transaction, and cleared when the server no longer has the copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack, PackUpdate
from app.data.models.server import Replica


def lock_games(session: Session, game_ids: Collection[str]) -> None:
    """Lock the games whose counts will change. Inside writing(), after the server and before any replica."""
    if game_ids:
        wanted = select(Game.id).where(Game.id.in_(game_ids)).order_by(Game.id)
        session.execute(wanted.with_for_update(key_share=True))


def count_copies(session: Session, copies: Sequence[Replica], on_server: Sequence[Replica]) -> None:
    """Count the transfers of copies that have just become complete. Inside writing(), with their games locked.
    `on_server`: all replicas of the server, with their builds loaded."""
    if not copies:
        return
    sizes = _pack_sizes(session, {copy.build_id for copy in copies})
    indexes = _fetched_indexes(session, copies, on_server)
    sent, saved = Counter[str](), Counter[str]()
    game_of = {copy.build_id: copy.game_id for copy in copies}
    for copy in copies:
        amount = _transfer_bytes(copy, sizes)
        source_id, index_bytes = indexes.get(copy.build_id, ("", 0))
        if source_id:  # part of what the older build took, so that an update counts as it was forecast
            sent[source_id] += index_bytes
            game_of[source_id] = copy.game_id
        sent[copy.build_id] += amount
        saved[copy.build_id] += max(0, copy.build.size - amount - index_bytes)
    for build_id, game_id in sorted(game_of.items()):
        _add(session, Build, build_id, sent[build_id], saved[build_id])
        _add(session, Game, game_id, sent[build_id], saved[build_id])


def _add(session: Session, table: type[Build] | type[Game], row_id: str, sent: int, saved: int) -> None:
    values = {"sent_bytes": table.sent_bytes + sent, "saved_bytes": table.saved_bytes + saved}
    session.execute(
        update(table).where(table.id == row_id).values(values), execution_options={"synchronize_session": False}
    )


Sizes = dict[tuple[str, int | None], int]  # (build id, number of the build that an update starts from) -> bytes


def _pack_sizes(session: Session, build_ids: Collection[str]) -> Sizes:
    packs = session.scalars(select(BuildPack).where(BuildPack.build_id.in_(build_ids), BuildPack.state == "ready"))
    sizes: Sizes = {(pack.build_id, None): pack.pack_bytes + pack.index_bytes for pack in packs.all()}
    updates = (
        select(PackUpdate, Build.number)
        .join(Build, PackUpdate.from_build_id == Build.id)
        .options(joinedload(PackUpdate.pack))
        .where(PackUpdate.build_id.in_(build_ids))
    )
    for found, number in session.execute(updates).all():
        sizes[found.build_id, number] = found.transfer_bytes
    return sizes


def _fetched_indexes(
    session: Session, copies: Sequence[Replica], on_server: Sequence[Replica]
) -> dict[str, tuple[str, int]]:
    """The indexes that the server fetched before it could update from copies made from archives: id of the copy's build
    and bytes, by the id of the build that was updated to."""
    updated = [copy for copy in copies if copy.source == "update"]
    sources: dict[str, str] = {}  # build id -> id of the build that its update started from
    for copy in updated:
        others = [other for other in on_server if other.game_id == copy.game_id and other is not copy]
        source = next((other for other in others if other.build.number == copy.source_build), None)
        if source is not None and source.build_id in _without_index(others):
            sources[copy.build_id] = source.build_id
    query = select(BuildPack.build_id, BuildPack.index_bytes).where(BuildPack.build_id.in_(sources.values()))
    sizes = {row.build_id: row.index_bytes for row in session.execute(query)} if sources else {}
    return {build_id: (source_id, sizes.get(source_id, 0)) for build_id, source_id in sources.items()}


def _without_index(replicas: Sequence[Replica]) -> set[str]:
    """Builds on one server whose index was not counted: copies that were made from archives, until the first update
    from them. `replicas` are those of one game on the server, with their builds loaded."""
    started_from = {replica.source_build for replica in replicas if replica.source == "update"}
    return {
        replica.build_id
        for replica in replicas
        if replica.source not in {"pack", "update"} and replica.build.number not in started_from
    }


def _transfer_bytes(copy: Replica, sizes: Sizes) -> int:
    """From the platform's own sizes: a report may contain any number. An update whose row was deleted meanwhile counts
    as reported, and never more than the archive."""
    if copy.source not in {"pack", "update"}:
        return copy.build.size
    known = sizes.get((copy.build_id, copy.source_build if copy.source == "update" else None))
    return known if known is not None else min(copy.bytes_total or copy.build.size, copy.build.size)
