"""Addresses to which clients may write: each accepts one part of one multipart transfer.

All of them are made here. The upload identity signs them, and only while storage is known to be safe
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
    """A URL to which a browser or script may PUT exactly `size` bytes as one part, and nothing else. With
    `content_type`, the PUT must have exactly that type. Raises DirectUploadsOff."""
    direct_uploads().require()
    where = settings().storage_settings
    query = {"uploadId": multipart_id, "partNumber": str(number)}
    headers = {"content-length": str(size)} | ({"content-type": content_type} if content_type else {})
    return presign(where.upload_signer, "PUT", key, query, lifetime, headers=headers, endpoint=where.public_endpoint)
