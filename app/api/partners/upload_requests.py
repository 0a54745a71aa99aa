"""What calls about uploads do with their requests, below a game and without one."""

from __future__ import annotations

from app.accounts.callers import Caller
from app.api.partners import upload_schemas as schemas
from app.api.partners.checksum_header import announced_sha256
from app.data.models.game import Game
from app.data.models.upload import Upload
from app.topics.queue import enqueue
from app.uploads.resumable import completion
from app.uploads.resumable.uploads import NewUpload, UploadState


def announced(body: schemas.UploadRequestWithoutGame, base: int | None = None) -> NewUpload:
    """The upload that a body announces."""
    return NewUpload(
        body.file_name,
        body.size,
        body.checksum,
        body.note or None,
        body.release,
        base=base,
        version_label=body.version_label or None,
        part_size=body.part_size,
    )


def require_release(caller: Caller, game: Game, release: bool | None) -> None:
    """Raises Forbidden if an upload asks for a release that its game does not make by itself, and its caller may not
    release."""
    if release and not game.auto_release:
        caller.require("write")


def completed(target: Upload) -> UploadState:
    """Complete an upload, with the checksum of the request, and let a worker check it."""
    upload = completion.complete(target, announced_sha256())
    if upload.state == "checking":
        enqueue("check_upload", upload.id)
    return UploadState(upload, [])
