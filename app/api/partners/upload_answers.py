"""What calls about uploads answer. `slug`: of the upload's game, None while it has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.api.partners import upload_schemas as schemas
from app.api.pipeline import Result
from app.data.models.base import now
from app.uploads.resumable import part_urls, uploads
from app.uploads.resumable.stopped_uploads import silent_since
from app.uploads.resumable.uploads import UploadState

# For responses with presigned addresses: anybody that has one can use it until it expires.
NO_STORE = {"Cache-Control": "no-store"}


def upload_opened(state: UploadState, slug: str | None) -> Result:
    """201: an upload that was begun, with the addresses of its first parts."""
    uploading = state.upload.state == "uploading"
    signed = part_urls.first_parts(state.upload) if uploading else part_urls.SignedParts([], now())
    shape = schemas.UploadOpened(
        **vars(upload_detail(state, slug)), urls=_urls(signed), urls_expire_at=signed.expires_at
    )
    return Result(shape, 201, NO_STORE, replay_data={"upload": state.upload.id})


def part_addresses(signed: part_urls.SignedParts) -> Result:
    return Result(schemas.PartUrls(urls=_urls(signed), urls_expire_at=signed.expires_at), headers=NO_STORE)


def upload_detail(state: UploadState, slug: str | None) -> schemas.UploadDetail:
    arrived = [
        schemas.ArrivedPart(part_number=part.number, size=part.size, etag=part.etag) for part in state.parts or []
    ]
    became = uploads.build_of(state.upload)
    return schemas.UploadDetail(
        **_row(state, slug),
        parts=arrived,
        unchanged=became is not None and became.object_key != state.upload.build_key,
        warnings=became.warnings if became else [],
    )


def upload_list(found: Sequence[tuple[UploadState, str | None]]) -> schemas.UploadList:
    return schemas.UploadList(uploads=[schemas.UploadRow(**_row(*one)) for one in found], total=len(found))


def _row(state: UploadState, slug: str | None) -> dict[str, Any]:
    upload = state.upload
    return {
        "id": upload.id,
        "game": slug,
        "file_name": upload.file_name or "",
        "size": upload.size,
        "part_size": upload.part_size,
        "parts_count": state.layout.count,
        "phase": upload.state,
        "received_bytes": state.received_bytes,
        "silent_since": silent_since(upload),
        "checksum": f"sha256:{upload.announced_sha256}" if upload.announced_sha256 else None,
        "note": upload.note,
        "version_label": upload.version_label,
        "sent_by": upload.sent_by,
        "created_at": upload.created_at,
        "expires_at": None if upload.state == "checking" else state.expires_at,
        "check": schemas.CheckProgress(bytes_read=upload.bytes_read, files_read=upload.files_read),
        "error": upload.reason_code,
        "reason": upload.reason,
        "build": upload.build_number,
        "released": upload.released,
        "base": upload.base_number,
    }


def _urls(signed: part_urls.SignedParts) -> list[schemas.PartUrl]:
    return [schemas.PartUrl(part_number=part.number, url=part.url, size=part.size) for part in signed.parts]
