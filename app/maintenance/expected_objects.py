"""The objects that rows name, with their sizes: what must be in storage."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.data.models.asset import Blob, BlobVariant
from app.data.models.game import Build, Game
from app.data.models.pack import HAS_INDEX, BuildPack, PackUpdate
from app.packing.pack_objects import NamedObject, objects_of_pack, objects_of_update


@dataclass(frozen=True)
class BuildObject:
    """The archive of a build. `name`: of the build, for people."""

    key: str
    size: int
    name: str


def expected_objects(session: Session) -> dict[str, int]:
    """Key → bytes, of every object."""
    return (
        {found.key: found.size for found in build_objects(session)}
        | {found.key: found.size for found in pack_objects(session)}
        | image_objects(session)
    )


def build_objects(session: Session) -> list[BuildObject]:
    query = select(Build.object_key, Build.size, Build.number, Game.slug).join(Game, Build.game_id == Game.id)
    return [BuildObject(key, size, f"{slug}, build {number}") for key, size, number, slug in session.execute(query)]


def pack_objects(session: Session) -> dict[NamedObject, str]:
    """Objects of ready packs, of updates, and lists of files → what each belongs to, for people."""
    found: dict[NamedObject, str] = {}
    whose = select(BuildPack, Build.number, Game.slug).join(Build, BuildPack.build_id == Build.id)
    for pack, number, slug in session.execute(whose.join(Game, Build.game_id == Game.id).where(HAS_INDEX)):
        what = "pack" if pack.state == "ready" else "list of files"
        found |= dict.fromkeys(objects_of_pack(pack), f"{slug}, {what} of build {number}")
    updates = select(PackUpdate, Build.number, Game.slug).join(Build, PackUpdate.build_id == Build.id)
    for update, number, slug in session.execute(updates.join(Game, Build.game_id == Game.id)):
        found |= dict.fromkeys(objects_of_update(update), f"{slug}, update to build {number}")
    return found


def image_objects(session: Session) -> dict[str, int]:
    """Key → bytes, of every image and size that may be requested."""
    stored = Blob.state == "stored"
    found = dict(session.execute(select(Blob.object_key, Blob.size).where(stored)).all())
    variants = select(BlobVariant.object_key, BlobVariant.byte_size).join(Blob, BlobVariant.blob_id == Blob.id)
    found.update(session.execute(variants.where(stored)).all())
    copies = select(Blob.public_key, Blob.public_size).where(stored, Blob.public_key > "")
    found.update({key: size for key, size in session.execute(copies) if key and size})
    return found
