"""Whether a push would change anything (`--if-changed`).

The platform's newest build is the measure: its checksum is that of its archive. Where packing gives other bytes for
the same tar (another processor, another version of the compressor), a note of which tar an archive held bridges that; a
note counts only while the platform's newest build is still that archive.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from slipway.cli.credentials import config_folder
from slipway.cli.push.archive_file import Archive
from slipway.client.durable import read_json, write_json


def is_same_archive(newest: dict[str, Any], archive: Archive, url: str, slug: str) -> bool:
    """Whether the newest build (as the API gives it) holds what the archive holds. Its digest must be known."""
    if newest["checksum"] == f"sha256:{archive.sha256}":
        return True
    note = read_json(_file(url, slug)) or {}
    return (
        archive.tar_sha256 is not None
        and note.get("tarSha256") == archive.tar_sha256
        and note.get("checksum") == newest["checksum"]
    )


def remember_archive(archive: Archive, url: str, slug: str) -> None:
    """Note which tar the archive that was just checked holds."""
    if archive.sha256 and archive.tar_sha256:
        document = {"tarSha256": archive.tar_sha256, "checksum": f"sha256:{archive.sha256}"}
        write_json(_file(url, slug), document)


def _file(url: str, slug: str) -> Path:
    name = hashlib.sha256(f"{url}\n{slug}".encode()).hexdigest()[:32]
    return config_folder() / "pushed" / f"{name}.json"
