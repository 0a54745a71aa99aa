"""Presigned addresses to which a browser or script sends the parts of an upload, straight to the bucket."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.data.database import free_connection
from app.data.models.base import now
from app.data.models.upload import Upload
from app.refusals import Conflict, InvalidRequest
from app.storage.write_addresses import part_url
from app.uploads.resumable.part_layout import PartLayout, number_list
from app.uploads.resumable.sending_times import record_sending

MAX_URLS = 100
# Long enough for a hundred parts of 16 MiB at 4 Mbit/s. Slower clients ask for new addresses.
URL_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True)
class SignedPart:
    """`url` accepts one PUT of exactly `size` bytes; storage refuses any other length."""

    number: int
    url: str
    size: int


@dataclass(frozen=True)
class SignedParts:
    parts: Sequence[SignedPart]
    expires_at: datetime


def sign_parts(upload: Upload, numbers: Sequence[int]) -> SignedParts:
    """Addresses for these parts. Raises InvalidRequest for unknown part numbers, Conflict (`upload_closed`) if the
    upload accepts no more parts, DirectUploadsOff while storage is not safe to send to."""
    layout = PartLayout(upload.size, upload.part_size)
    if upload.state != "uploading" or upload.multipart_id is None:
        raise Conflict(f"The upload is {upload.state}: it accepts no more parts.", "upload_closed")
    if not 1 <= len(numbers) <= MAX_URLS:
        raise InvalidRequest(
            f"partNumbers names {len(numbers)} parts; name 1 to {MAX_URLS} in a call.", {"partNumbers": "1 to 100"}
        )
    strange = sorted({number for number in numbers if not 1 <= number <= layout.count})
    if strange:
        raise InvalidRequest(
            f"The archive has parts 1 to {layout.count:,}; {number_list(strange)} is not among them.",
            {"partNumbers": f"1 to {layout.count}"},
        )
    if not record_sending(upload):
        raise Conflict("The upload has ended: it accepts no more parts.", "upload_closed")
    return _signed(upload, upload.multipart_id, layout, dict.fromkeys(numbers))


def first_parts(upload: Upload) -> SignedParts:
    """Addresses to begin with: for every part, or for the first hundred."""
    count = PartLayout(upload.size, upload.part_size).count
    return sign_parts(upload, range(1, min(count, MAX_URLS) + 1))


def _signed(upload: Upload, multipart_id: str, layout: PartLayout, numbers: Iterable[int]) -> SignedParts:
    free_connection()
    expires_at = now() + URL_LIFETIME
    signed = [
        SignedPart(
            number,
            part_url(upload.object_key, multipart_id, number, layout.size_of(number), URL_LIFETIME),
            layout.size_of(number),
        )
        for number in numbers
    ]
    return SignedParts(signed, expires_at)
