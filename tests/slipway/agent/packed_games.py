"""Packs of the sample games, made by the library as the platform makes them."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path

from slipway.packs.chunk_content import LocalContent
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.format.index import Index
from slipway.packs.format.index_transfer import IndexReference
from slipway.packs.format.patch_format import decode_patch
from slipway.packs.making.build_writing import OlderBuild, WrittenBuild, write_build
from slipway.packs.transfer_plan import plan_transfer
from tests.slipway.agent.sample_games import Game


@dataclass(frozen=True)
class PackedUpdate:
    """The way from an older build. `older` is None for a way without delta and patch."""

    older: PackedGame
    delta: bytes | None
    patch: bytes | None

    @property
    def patch_sha256(self) -> str:
        return hashlib.sha256(self.patch or b"").hexdigest()


@dataclass(frozen=True)
class PackedGame:
    """`objects` by their names below the build's folder in the bucket; `updates` by the older build's number."""

    root: Path
    written: WrittenBuild = field(repr=False)
    objects: dict[str, bytes] = field(repr=False)
    updates: dict[int, PackedUpdate] = field(default_factory=dict)

    @property
    def index(self) -> Index:
        return self.written.index

    @property
    def reference(self) -> IndexReference:
        return self.written.reference


def pack_game(folder: Path, number: int, game: Game, older: tuple[int, PackedGame] | None = None) -> PackedGame:
    """Unpack the game below `folder` and make its pack, after the build `older` if there is one."""
    root = folder / str(number)
    for name, content in game.files.items():
        path = root / game.top_directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if name.endswith(".sh") or name.startswith("lib/") else 0o644)
    sink = io.BytesIO()
    if older is None:
        written = write_build(root, sink, build=number)
        return PackedGame(root, written, {"pack": sink.getvalue(), "index": written.index_object})
    before, packed = older
    with LocalContent(packed.root, packed.index, ChunkPlaces(packed.index)) as content_of:
        older_build = OlderBuild(packed.index, packed.written.encoded, content_of)
        written = write_build(root, sink, build=number, older=older_build)
    objects = {"pack": sink.getvalue(), "index": written.index_object}
    update = PackedUpdate(packed, written.delta, written.patch)
    objects |= {f"delta.{before}": update.delta} if update.delta else {}
    objects |= {f"patch.{before}": update.patch} if update.patch else {}
    return PackedGame(root, written, objects, {before: update})


def transfer_bytes(packed: PackedGame, update: PackedUpdate) -> int:
    """All that is sent for an update: the delta or the index, the patch, and ranges of the pack."""
    old = update.older
    table = None
    if update.patch:
        table = decode_patch(update.patch, old.index, old.reference.sha256, packed.index, packed.reference.sha256)
    fetched = plan_transfer(packed.index, old.index, table).fetched_bytes
    return len(update.delta or packed.objects["index"]) + len(update.patch or b"") + fetched
