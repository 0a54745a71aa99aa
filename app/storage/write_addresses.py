"""Addresses to which clients may write: each takes one part of one multipart transfer.

Every one of them is made here, signed by the upload identity, and only while storage is known to hold clients to it
(app/storage/direct_uploads.py). Addresses for reading are `Bucket.agent_url` and `Bucket.browser_url`.
"""

from __future__ import annotations

from datetime import timedelta

from app.config.settings import settings
from app.storage.direct_uploads import direct_uploads
from app.storage.url_signing import presign


def part_url(
    key: str, multipart_id: str, number: int, size: int, lifetime: timedelta, *, content_type: str | None = None
) -> str:
    """A URL to which a browser or script may PUT exactly `size` bytes as one part, and nothing else; with
    `content_type`, sent as exactly that. Raises DirectUploadsOff."""
    direct_uploads().require()
    where = settings().storage_settings
    query = {"uploadId": multipart_id, "partNumber": str(number)}
    headers = {"content-length": str(size)} | ({"content-type": content_type} if content_type else {})
    return presign(where.upload_signer, "PUT", key, query, lifetime, headers=headers, endpoint=where.public_endpoint)
