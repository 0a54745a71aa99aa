"""What is known of the bytes of a resumable upload once they have been read."""

from __future__ import annotations

from app.catalog.build_publishing import ReceivedArchive
from app.data.models.upload import Upload
from app.refusals import ChecksumMismatch
from slipway.archive.inspection import Inspection


def require_checksum(upload: Upload, sha256: str) -> None:
    """Raises ChecksumMismatch unless the bytes that arrived are those that were announced."""
    if upload.announced_sha256 not in {None, sha256}:
        raise ChecksumMismatch(
            f"The upload announced the checksum sha256:{upload.announced_sha256}, but the bytes that arrived have "
            f"sha256:{sha256}. Nothing was kept; send the archive again."
        )


def received_archive(upload: Upload, size: int, sha256: str, inspection: Inspection) -> ReceivedArchive:
    """The archive in storage that becomes the build."""
    return ReceivedArchive(
        upload.id,
        upload.build_key,
        size,
        sha256,
        inspection,
        upload.file_name,
        note=upload.note,
        version_label=upload.version_label,
        release=upload.release,
        checker=upload.checker,
    )
