"""Addresses to which clients may write: one part of an archive, or one staged image.

Every one of them is made here, signed by the upload identity, and only while storage is known not to turn it into a
copy (app/storage/direct_uploads.py). Addresses for reading are `Bucket.agent_url` and `Bucket.browser_url`.
"""

from __future__ import annotations

from datetime import timedelta

from app.config import settings
from app.storage.direct_uploads import direct_uploads
from app.storage.signing import presign


def part_url(key: str, multipart_id: str, number: int, size: int, lifetime: timedelta) -> str:
    """A URL to which a browser or script may PUT exactly `size` bytes as one part, and nothing else. Raises
    DirectUploadsOff."""
    query = {"uploadId": multipart_id, "partNumber": str(number)}
    return _signed(key, query, {"content-length": str(size)}, lifetime)


def staging_url(key: str, *, content_type: str, byte_size: int, lifetime: timedelta) -> str:
    """A URL to which a browser or script may PUT exactly `byte_size` bytes of `content_type`, and nothing else. Raises
    DirectUploadsOff."""
    return _signed(key, {}, {"content-length": str(byte_size), "content-type": content_type}, lifetime)


def _signed(key: str, query: dict[str, str], headers: dict[str, str], lifetime: timedelta) -> str:
    direct_uploads().require()
    where = settings().storage_settings
    return presign(where.upload_signer, "PUT", key, query, lifetime, headers=headers, endpoint=where.public_endpoint)
