"""/api/partners/games/{slug}/uploads: archives sent in parts, straight to the bucket (docs/uploads.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint

from app.accounts.callers import Caller
from app.api.api_rate_limits import PARTS_LIMIT, UPLOAD_LIMIT
from app.api.apis import PARTNERS
from app.api.partners import upload_schemas as schemas
from app.api.partners.checksum_header import announced_sha256
from app.api.pipeline import RUN_AGAIN, Result
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.upload import Upload
from app.topics.queue import enqueue
from app.uploads.resumable import completion, part_urls, uploads
from app.uploads.resumable.uploads import UploadState, find_upload

bp = Blueprint("partner_uploads", __name__, url_prefix="/api/partners/games/<slug>/uploads")

# For responses with presigned addresses: anybody that has one can use it until it expires.
NO_STORE = {"Cache-Control": "no-store"}


def replay_begin(caller: Caller, game: Game, body: schemas.UploadRequest, replay_data: Mapping[str, str]) -> Result:
    """A repeated request gets the upload that the first one began, in its current state, with new addresses."""
    return _upload_opened(uploads.read_upload(find_upload(game, replay_data["upload"])))


@bp.post("")
@PARTNERS.call(
    "Begin an upload",
    scope="upload",
    limit=UPLOAD_LIMIT,
    body=schemas.UploadRequest,
    responses={201: schemas.UploadOpened},
    errors=(400, 409, 413, 415, 503),
    on_replay=replay_begin,
    free_refusals=(Exception,),  # it began no upload
)
def begin(caller: Caller, game: Game, body: schemas.UploadRequest) -> Result:
    if body.release and not game.auto_release:
        caller.require("write")  # the game does not release builds by itself, so this request does
    new = uploads.NewUpload(
        body.file_name,
        body.size,
        body.checksum,
        body.note or None,
        body.release,
        base=body.base,
        version_label=body.version_label or None,
        part_size=body.part_size,
    )
    return _upload_opened(UploadState(uploads.open_upload(game, new, caller.actor), []))


@bp.get("")
@PARTNERS.call(
    "List uploads that are in progress or have failed",
    scope="read",
    query=schemas.UploadQuery,
    responses={200: schemas.UploadList},
    errors=(400,),
)
def list_uploads(caller: Caller, game: Game, query: schemas.UploadQuery) -> Result:
    found = uploads.list_uploads(game, query.phase)
    return Result(schemas.UploadList(uploads=[schemas.UploadRow(**_row(state)) for state in found], total=len(found)))


@bp.get("/<upload_id>")
@PARTNERS.call(
    "Read an upload",
    scope="read",
    target=find_upload,
    responses={200: schemas.UploadDetail},
    errors=(503,),
    waits_for_storage=True,
)
def read(caller: Caller, game: Game, target: Upload) -> Result:
    return Result(_detail(uploads.read_upload(target)))


@bp.post("/<upload_id>/parts")
@PARTNERS.call(
    "Get addresses for parts",
    scope="upload",
    limit=PARTS_LIMIT,
    target=find_upload,
    body=schemas.PartsRequest,
    responses={200: schemas.PartUrls},
    errors=(400, 409, 413, 415),
    on_replay=RUN_AGAIN,
)
def sign(caller: Caller, game: Game, target: Upload, body: schemas.PartsRequest) -> Result:
    signed = part_urls.sign_parts(target, body.part_numbers)
    return Result(schemas.PartUrls(urls=_urls(signed), urls_expire_at=signed.expires_at), headers=NO_STORE)


@bp.post("/<upload_id>/complete")
@PARTNERS.call(
    "Complete an upload after sending every part",
    scope="upload",
    target=find_upload,
    responses={200: schemas.UploadDetail},
    errors=(400, 409, 503),
    takes_checksum=True,
)
def complete(caller: Caller, game: Game, target: Upload) -> Result:
    upload = completion.complete(target, announced_sha256())
    if upload.state == "checking":
        enqueue("check_upload", upload.id)
    return Result(_detail(UploadState(upload, [])))


@bp.delete("/<upload_id>")
@PARTNERS.call("Cancel an upload, or remove a finished one", scope="upload", target=find_upload, responses={204: None})
def cancel(caller: Caller, game: Game, target: Upload) -> Result:
    uploads.cancel(target, caller.actor)
    return Result(None, 204)


def _upload_opened(state: UploadState) -> Result:
    uploading = state.upload.state == "uploading"
    signed = part_urls.first_parts(state.upload) if uploading else part_urls.SignedParts([], now())
    shape = schemas.UploadOpened(**vars(_detail(state)), urls=_urls(signed), urls_expire_at=signed.expires_at)
    return Result(shape, 201, NO_STORE, replay_data={"upload": state.upload.id})


def _detail(state: UploadState) -> schemas.UploadDetail:
    arrived = [
        schemas.ArrivedPart(part_number=part.number, size=part.size, etag=part.etag) for part in state.parts or []
    ]
    became = uploads.build_of(state.upload)
    return schemas.UploadDetail(
        **_row(state),
        parts=arrived,
        unchanged=became is not None and became.object_key != state.upload.build_key,
        warnings=became.warnings if became else [],
    )


def _row(state: UploadState) -> dict[str, Any]:
    upload = state.upload
    return {
        "id": upload.id,
        "file_name": upload.file_name or "",
        "size": upload.size,
        "part_size": upload.part_size,
        "parts_count": state.layout.count,
        "phase": upload.state,
        "received_bytes": state.received_bytes,
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
