"""The packs in the plan of a server: where the agent fetches them, and from which builds it can update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack, PackUpdate
from app.storage.bucket import bucket


@dataclass(frozen=True)
class Download:
    """An object to fetch: a presigned address, and its bytes."""

    url: str
    bytes: int


@dataclass(frozen=True)
class IndexDownload(Download):
    """`sha256` and `size` are those of the uncompressed table."""

    sha256: str
    size: int


@dataclass(frozen=True)
class PatchDownload(Download):
    """`sha256` is that of the object."""

    sha256: str


@dataclass(frozen=True)
class PlannedUpdate:
    """A way to the build from another one, by its number. `bytes`: all that is transferred. Without a delta, the whole
    index is fetched."""

    build: int
    bytes: int
    delta: Download | None
    patch: PatchDownload | None


@dataclass(frozen=True)
class PlannedPack:
    """A ready pack. `updates`: from other builds that the server holds, the cheapest first; none for a build that it
    holds itself."""

    url: str
    bytes: int
    index: IndexDownload
    updates: Sequence[PlannedUpdate]


@dataclass(frozen=True)
class PackPreparing:
    """The pack is being made. The server waits for it, because fetching the archive takes longer."""

    preparing: bool = True


def planned_packs(
    builds: Sequence[Build], held: Mapping[str, Sequence[Build]], lifetime: timedelta
) -> dict[str, PlannedPack | PackPreparing]:
    """The packs of a server's planned builds, by build id; a build is missing when only its archive can be fetched.

    `held`: the builds that the server has cached, by game id. `lifetime`: of the addresses. Three queries for any
    number of builds.
    """
    ids = {build.id for build in builds} | {build.id for cached in held.values() for build in cached}
    packs = {
        pack.build_id: pack
        for pack in db.session.scalars(
            select(BuildPack).where(BuildPack.build_id.in_(ids)).options(selectinload(BuildPack.updates))
        )
    }
    found: dict[str, PlannedPack | PackPreparing] = {}
    for build in builds:
        pack = packs.get(build.id)
        others = held.get(build.game_id, ())
        if pack is None:
            continue
        if build in others:
            others = ()  # it is there already: its pack is for repairs
        if pack.state == "ready":
            sources = [other for other in others if other.id in packs and packs[other.id].state == "ready"]
            found[build.id] = _planned(pack, sources, lifetime)
        elif others and pack.awaited_until is not None and pack.awaited_until > now():
            found[build.id] = PackPreparing()
    return found


def _planned(pack: BuildPack, sources: Sequence[Build], lifetime: timedelta) -> PlannedPack:
    store = bucket()
    known = {update.from_build_id: update for update in pack.updates}
    updates = [_update(pack, source, known.get(source.id), lifetime) for source in sources]
    return PlannedPack(
        url=store.agent_url(pack.pack_key, lifetime),
        bytes=pack.pack_bytes,
        index=IndexDownload(
            store.agent_url(pack.index_key, lifetime), pack.index_bytes, pack.index_sha256 or "", pack.index_size
        ),
        updates=sorted(updates, key=lambda update: (update.bytes, -update.build)),
    )


def _update(pack: BuildPack, source: Build, update: PackUpdate | None, lifetime: timedelta) -> PlannedUpdate:
    if update is None:
        # Not measured yet: at most everything. The agent fetches only chunks that the build it has lacks.
        return PlannedUpdate(source.number, pack.index_bytes + pack.pack_bytes, None, None)
    store = bucket()
    delta = patch = None
    if update.delta_bytes is not None:
        delta = Download(store.agent_url(update.delta_key, lifetime), update.delta_bytes)
    if update.patch_bytes is not None:
        url = store.agent_url(update.patch_key, lifetime)
        patch = PatchDownload(url, update.patch_bytes, update.patch_sha256 or "")
    return PlannedUpdate(source.number, update.transfer_bytes, delta, patch)
