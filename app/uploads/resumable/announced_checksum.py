"""The SHA-256 that a client may announce when it begins an upload, or when it completes it."""

from __future__ import annotations

from app.data.models.upload import Upload
from app.refusals import ChecksumMismatch


def require_checksum(upload: Upload, sha256: str) -> None:
    """Raise ChecksumMismatch unless the bytes that arrived are those that were announced. `sha256`: lowercase hex."""
    if upload.announced_sha256 not in {None, sha256}:
        raise ChecksumMismatch(
            f"The upload announced the checksum sha256:{upload.announced_sha256}, but the bytes that arrived have "
            f"sha256:{sha256}. Nothing was kept; send the archive again."
        )
