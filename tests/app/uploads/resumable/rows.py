"""What is stored, as tests ask for it: rows, objects, transfers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.partner import Partner
from app.data.models.upload import Upload
from app.maintenance.build_sweep import check
from app.storage.bucket import bucket
from app.storage.write_address_probe import is_of_a_probe

A_WEEK = timedelta(days=7, minutes=1)  # a little longer than an upload is kept


def row(upload_id: str) -> Upload | None:
    """The upload's row as it is now."""
    db.session.rollback()
    return db.session.get(Upload, upload_id, populate_existing=True)


def change(upload_id: str, **values: Any) -> None:
    """Set columns of an upload's row."""
    with writing() as session:
        session.execute(update(Upload).where(Upload.id == upload_id).values(**values))


def age(upload_id: str, by: timedelta) -> None:
    """Let everything the row remembers have happened that much earlier."""
    with writing() as session:
        upload = session.get_one(Upload, upload_id)
        upload.created_at -= by
        upload.touched_at -= by
        if upload.expires_at:
            upload.expires_at -= by


def set_quota(bytes_: int | None) -> None:
    """Of every partner."""
    with writing() as session:
        session.execute(update(Partner).values(build_quota_bytes=bytes_))


def builds() -> list[Build]:
    """All builds, by number."""
    db.session.rollback()
    return list(db.session.scalars(select(Build).order_by(Build.number)))


def objects() -> list[str]:
    """Keys of all archives in the bucket."""
    return [found.key for found in bucket().objects("archives/") if not is_of_a_probe(found.key, found.modified)]


def transfers() -> list[str]:
    """Keys of open multipart transfers."""
    listed = bucket().open_multiparts("archives/")
    return [found.key for found in listed if not is_of_a_probe(found.key, found.begun)]


def is_clean() -> bool:
    """Every object is a build's, every build has its object, and no transfer is open."""
    found = check()
    return not (found.orphans or found.missing or transfers()) and len(objects()) == len(builds())
