"""From parts to one object: compare the parts that arrived with what was announced, then join them."""

from __future__ import annotations

from collections.abc import Sequence

from app.data.database import free_connection, writing
from app.data.models.upload import Upload
from app.process.crash_points import crash_point
from app.refusals import ChecksumMismatch, Conflict, InvalidRequest, NotFound, Refusal
from app.storage.bucket import StoredPart, bucket
from app.storage.direct_uploads import direct_uploads
from app.uploads.resumable.part_layout import PartLayout, number_list
from app.uploads.resumable.upload_phases import begin_checking, lock_upload
from app.uploads.resumable.uploads import PartsLost, fail_if_parts_lost, stored_parts


def complete(upload: Upload, sha256: str | None = None) -> Upload:
    """Begin the check of an upload whose parts were all sent. May be called again, or after a lost answer: then it only
    returns the state. `sha256` (lowercase hex): of all bytes, from a client that did not know it when it began.

    Raises Conflict (`no_game`) while the upload has no game, ChecksumMismatch if another checksum was announced,
    DirectUploadsOff, and Conflict (`parts_missing`) or InvalidRequest naming the parts that are missing or of another
    size; the upload then stays open. The worker that checks joins the parts, so that a crash at any point is continued
    there."""
    if upload.state != "uploading":
        return upload
    if upload.game_id is None:
        raise Conflict(
            "The upload has no game yet. Register the game, give it the upload, then complete it.", "no_game"
        )
    if sha256 is not None:
        _require_same_checksum(upload, sha256)
    free_connection()
    direct_uploads().require()  # otherwise a part may be a copy of an object that its sender may not read
    parts = stored_parts(upload)
    if parts is None:
        return fail_if_parts_lost(upload)
    require_whole(PartLayout(upload.size, upload.part_size), parts)
    crash_point("parts-verified")
    with writing() as session:
        row = lock_upload(session, upload.id)
        if row is None:
            raise NotFound(f"The upload '{upload.id}' was cancelled a moment ago.")
        if row.state == "uploading":
            row.announced_sha256 = sha256 or row.announced_sha256
            begin_checking(session, row)
    crash_point("completion-written")
    return row


def _require_same_checksum(upload: Upload, sha256: str) -> None:
    if upload.announced_sha256 not in {None, sha256}:
        raise ChecksumMismatch(
            f"The upload was begun with the checksum sha256:{upload.announced_sha256}, and X-Checksum-Sha256 of this "
            f"call is {sha256}. The upload stays open: complete it without the header, or cancel it."
        )


def require_whole(layout: PartLayout, parts: Sequence[StoredPart]) -> None:
    """Raise Conflict (`parts_missing`) or InvalidRequest unless exactly the announced bytes have arrived."""
    missing = layout.missing(parts)
    if missing:
        which = f"Part {number_list(missing)} has" if len(missing) == 1 else f"Parts {number_list(missing)} have"
        raise Conflict(
            f"{which} not arrived ({layout.count:,} in all). Send what is missing, then complete again.",
            "parts_missing",
        )
    for part in layout.misfits(parts):
        raise InvalidRequest(
            f"Part {part.number} of {layout.count:,} has {part.size:,} bytes; it must have "
            f"{layout.size_of(part.number):,}. Send it again, then complete again."
        )


def join_parts(upload: Upload) -> None:
    """Make the object of the parts, unless it exists. Repeatable. Raises a Refusal if it can never be made, and
    StorageError if it may be made later."""
    store = bucket()
    stored = store.stat(upload.object_key)
    if stored is None:
        parts = store.parts(upload.object_key, upload.multipart_id or "")
        if parts is None:
            # If another worker joined the parts before us, we see the object now. None joins them after us.
            stored = store.stat(upload.object_key)
            if stored is None:
                raise PartsLost("Storage no longer has the parts that were sent. Send the archive again.")
        else:
            layout = PartLayout(upload.size, upload.part_size)
            require_whole(layout, parts)
            etags = [part.etag for part in layout.within(parts)]
            store.complete_multipart(upload.object_key, upload.multipart_id or "", etags)
            stored = store.stat(upload.object_key)
    crash_point("parts-joined")
    if stored is None or stored.size != upload.size:
        raise WrongSize(
            f"Storage has {stored.size if stored else 0:,} bytes of the {upload.size:,} that were announced. "
            "Send the archive again."
        )


class WrongSize(Refusal):
    """The joined object has another length than was announced."""

    code = "wrong_size"
