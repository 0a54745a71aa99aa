"""What stands behind the address of an image: looked up in rows, read from the bucket."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from app.assets.deriving import WEBP
from app.assets.names import FINAL, parse_key
from app.extensions import db
from app.models import Blob, BlobVariant


@dataclass(frozen=True)
class ServedImage:
    """An object that may be shown to anybody who knows its address. The type is what we found, or made, ourselves."""

    key: str
    mime_type: str
    size: int
    sha256: str


def served_image(name: str) -> ServedImage | None:
    """The image of the last part of an address, unless no asset shows it (any more)."""
    key = f"{FINAL}{name}"
    parsed = parse_key(key)
    if parsed is None:
        return None
    if parsed.size is None:
        row = db.session.execute(
            select(Blob.mime_type, Blob.size, Blob.sha256).where(
                Blob.object_key == key, Blob.state == "stored", Blob.unused_since.is_(None)
            )
        ).first()
        return ServedImage(key, row.mime_type, row.size, row.sha256) if row else None
    found = db.session.execute(
        select(BlobVariant.byte_size, BlobVariant.sha256)
        .join(Blob, BlobVariant.blob_id == Blob.id)
        .where(BlobVariant.object_key == key, Blob.state == "stored", Blob.unused_since.is_(None))
    ).first()
    return ServedImage(key, WEBP, found.byte_size, found.sha256) if found else None
