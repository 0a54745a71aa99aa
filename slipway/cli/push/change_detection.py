"""Detects whether a push would change anything (`--if-changed`).

The checksum of the platform's newest build is the digest of its archive. Packing can give different bytes for the same
tar (another processor, another version of the compressor). So the digest of the tar in the last archive is stored too.
It counts only while the platform's newest build is that archive.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

from slipway.cli.command_error import CommandError
from slipway.cli.credentials import config_folder
from slipway.cli.push.archive_file import Archive
from slipway.client.durable import read_json, write_json


def is_same_archive(newest: dict[str, Any], archive: Archive) -> bool:
    """Whether the newest build (as in the API) has the archive's bytes."""
    return bool(newest["checksum"] == f"sha256:{archive.sha256}")


def is_same_content(newest: dict[str, Any], archive: Archive, url: str, slug: str) -> bool:
    """Whether the newest build (as in the API) has the archive's content, perhaps compressed differently."""
    if is_same_archive(newest, archive):
        return True
    try:
        record = read_json(_file(url, slug)) or {}
    except (CommandError, OSError):  # without a folder for it, the archive is sent
        return False
    return (
        archive.tar_sha256 is not None
        and record.get("tarSha256") == archive.tar_sha256
        and record.get("checksum") == newest["checksum"]
    )


def remember_archive(archive: Archive, url: str, slug: str) -> None:
    """Store the digest of the tar in the archive that was just checked, where that is possible."""
    if archive.tar_sha256:
        document = {"tarSha256": archive.tar_sha256, "checksum": f"sha256:{archive.sha256}"}
        with contextlib.suppress(CommandError, OSError):
            write_json(_file(url, slug), document)


def _file(url: str, slug: str) -> Path:
    name = hashlib.sha256(f"{url}\n{slug}".encode()).hexdigest()[:32]
    return config_folder() / "pushed" / f"{name}.json"
