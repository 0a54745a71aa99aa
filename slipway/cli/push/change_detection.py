"""Detects whether a push would change anything (`--if-changed`).

The checksum of the platform's newest build is the digest of its archive. Packing can give different bytes for the same
tar (another processor, another version of the compressor). So the digest of the tar in the last archive is stored too.
It counts only while the platform's newest build is that archive.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from slipway.cli.credentials import config_folder
from slipway.cli.push.archive_file import Archive
from slipway.client.durable import read_json, write_json


def is_same_archive(newest: dict[str, Any], archive: Archive, url: str, slug: str) -> bool:
    """Whether the newest build (as in the API) has the archive's content. The archive's digest must be computed."""
    if newest["checksum"] == f"sha256:{archive.sha256}":
        return True
    note = read_json(_file(url, slug)) or {}
    return (
        archive.tar_sha256 is not None
        and note.get("tarSha256") == archive.tar_sha256
        and note.get("checksum") == newest["checksum"]
    )


def remember_archive(archive: Archive, url: str, slug: str) -> None:
    """Store the digest of the tar in the archive that was just checked."""
    if archive.sha256 and archive.tar_sha256:
        document = {"tarSha256": archive.tar_sha256, "checksum": f"sha256:{archive.sha256}"}
        write_json(_file(url, slug), document)


def _file(url: str, slug: str) -> Path:
    name = hashlib.sha256(f"{url}\n{slug}".encode()).hexdigest()[:32]
    return config_folder() / "pushed" / f"{name}.json"
