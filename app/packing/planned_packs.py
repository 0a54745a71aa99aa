"""The packs in the plan of a server: where the agent fetches them, and from which builds it can update."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from app.data.models.base import now
from app.data.models.pack import BuildPack, PackUpdate
from app.data.models.server import Replica
from app.data.prepared_reads import PreparedRead
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


class PlacedBuild(Protocol):
    """A build on a server, or to be sent there, with its pack."""

    @property
    def build_id(self) -> str: ...
    @property
    def game_id(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def pack(self) -> BuildPack | None: ...


# Rows as unsaved objects, for the keys and sums that the models know.
_PACK_FIELDS = (
    "build_id",
    "state",
    "awaited_until",
    "folder",
    "pack_bytes",
    "index_bytes",
    "index_sha256",
    "index_size",
)
# For a statement that joins BuildPack, whose values pack_of() takes.
PACK_COLUMNS: Sequence[InstrumentedAttribute[Any]] = tuple(getattr(BuildPack, name) for name in _PACK_FIELDS)


def pack_of(values: Sequence[Any]) -> BuildPack | None:
    """The pack with these values of PACK_COLUMNS. None for those of a build without a pack."""
    return BuildPack(**dict(zip(_PACK_FIELDS, values, strict=True))) if values[0] is not None else None


_UPDATE_COLUMNS = (
    "build_id",
    "from_build_id",
    "folder",
    "delta_bytes",
    "patch_bytes",
    "patch_sha256",
    "fetched_bytes",
)
_SOURCE = aliased(Replica)
_UPDATES = PreparedRead(
    select(*(getattr(PackUpdate, name) for name in _UPDATE_COLUMNS))
    .join(Replica, Replica.build_id == PackUpdate.build_id)
    .join(_SOURCE, and_(_SOURCE.build_id == PackUpdate.from_build_id, _SOURCE.server_id == Replica.server_id))
    .where(
        Replica.server_id == bindparam("server"),
        or_(Replica.wanted, Replica.phase != "removed"),
        _SOURCE.phase == "cached",
    ),
    lambda *values: PackUpdate(**dict(zip(_UPDATE_COLUMNS, values, strict=True))),
)


def planned_packs(
    server_id: str, builds: Sequence[PlacedBuild], held: Mapping[str, Sequence[PlacedBuild]], lifetime: timedelta
) -> dict[str, PlannedPack | PackPreparing]:
    """The packs of a server's planned builds, by build id; a build is missing when only its archive can be fetched.

    `held`: the builds that the server has cached, by game id. `lifetime`: of the addresses. At most one prepared read
    for any number of builds, so the session may hold no connection.
    """
    sources = {build.build_id: _sources(build, held.get(build.game_id, ())) for build in builds}
    is_updated = any(sources[build.build_id] and build.pack and build.pack.state == "ready" for build in builds)
    updates: dict[str, dict[str, PackUpdate]] = defaultdict(dict)
    for update in _UPDATES.all(server=server_id) if is_updated else ():
        updates[update.build_id][update.from_build_id] = update
    found: dict[str, PlannedPack | PackPreparing] = {}
    for build in builds:
        pack, others = build.pack, sources[build.build_id]
        if pack is None:
            continue
        if pack.state == "ready":
            found[build.build_id] = _planned(pack, updates[build.build_id], others, lifetime)
        elif others and pack.awaited_until is not None and pack.awaited_until > now():
            found[build.build_id] = PackPreparing()
    return found


def _sources(build: PlacedBuild, held: Sequence[PlacedBuild]) -> Sequence[PlacedBuild]:
    """The cached builds of the same game from which a server could update. None for a build that is there already: its
    pack is for repairs."""
    return () if any(other.build_id == build.build_id for other in held) else held


def _planned(
    pack: BuildPack, known: Mapping[str, PackUpdate], sources: Sequence[PlacedBuild], lifetime: timedelta
) -> PlannedPack:
    store = bucket()
    updates = [
        _update(pack, source, known.get(source.build_id), lifetime)
        for source in sources
        if source.pack is not None and source.pack.state == "ready"
    ]
    return PlannedPack(
        url=store.agent_url(pack.pack_key, lifetime),
        bytes=pack.pack_bytes,
        index=IndexDownload(
            store.agent_url(pack.index_key, lifetime), pack.index_bytes, pack.index_sha256 or "", pack.index_size
        ),
        updates=sorted(updates, key=lambda update: (update.bytes, -update.build)),
    )


def _update(pack: BuildPack, source: PlacedBuild, update: PackUpdate | None, lifetime: timedelta) -> PlannedUpdate:
    if update is None:
        # Not measured yet: at most everything. The agent fetches only chunks that the build it has lacks.
        return PlannedUpdate(source.number, pack.index_bytes + pack.pack_bytes, None, None)
    store = bucket()
    update.pack = pack
    delta = patch = None
    if update.delta_bytes is not None:
        delta = Download(store.agent_url(update.delta_key, lifetime), update.delta_bytes)
    if update.patch_bytes is not None:
        url = store.agent_url(update.patch_key, lifetime)
        patch = PatchDownload(url, update.patch_bytes, update.patch_sha256 or "")
    return PlannedUpdate(source.number, update.transfer_bytes, delta, patch)
