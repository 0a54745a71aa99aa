"""Packs of builds as rows, with no objects in the bucket."""

from __future__ import annotations

from app.data.database import announce, writing
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack, PackUpdate
from app.topics.names import game_topic


def add_pack(build: Build, state: str = "ready", *, done: int = 0, total: int = 0, **values: object) -> None:
    """The pack of a build. `values` are columns, such as `pack_bytes`."""
    with writing() as session:
        pack = session.get(BuildPack, build.id) or BuildPack(build_id=build.id)
        columns = {"state": state, "bytes_done": done, "bytes_total": total} | values
        if state == "ready":
            columns = {"folder": f"packs/{build.id}", "index_sha256": "0" * 64, "made_at": now()} | columns
        for name, value in columns.items():
            setattr(pack, name, value)
        session.add(pack)
        announce(game_topic(build.game_id))


def add_update(build: Build, older: Build, **values: int | None) -> None:
    """An update to a build from an older one. `values` are columns, such as `delta_bytes`."""
    with writing() as session:
        columns = {"folder": f"packs/{build.id}", "fetched_bytes": 0} | values
        session.add(PackUpdate(build_id=build.id, from_build_id=older.id, **columns))
        announce(game_topic(build.game_id))
