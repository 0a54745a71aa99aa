"""The build that an update is based on: the newest one whose pack the platform has, with the table of that pack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from slipway.archive.archive_limits import ArchiveLimits
from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.platform_client import PlatformClient
from slipway.client.transport import describe_network_error, make_pool
from slipway.packs.format.index_decoding import decode_index
from slipway.packs.format.index_transfer import IndexReference, decompress_index
from slipway.packs.format.pack_format import MAX_INDEX_BYTES
from slipway.packs.format.refusals import IndexRefused
from slipway.packs.format.update_file import BaseTable

# A pack is made within minutes after its build. Older builds have less in common with the next one.
_MAX_BUILDS_TRIED = 5
_TIMEOUT = urllib3.Timeout(connect=30.0, read=120.0)


class NoUpdate(Exception):
    """An update cannot be sent; `str()` is the reason, a clause without a full stop."""


@dataclass(frozen=True)
class BaseBuild:
    """`size` is that of its archive, in bytes. `is_newest`: the game has no newer build."""

    number: int
    size: int
    is_newest: bool
    table: BaseTable


def fetch_base(platform: PlatformClient, slug: str, limits: ArchiveLimits) -> BaseBuild | None:
    """None if the game has no build yet. Raises NoUpdate, and CommandError if the platform cannot be reached."""
    builds = platform.game(slug, f"/builds?limit={_MAX_BUILDS_TRIED}")["builds"]
    for build in builds:
        found = _index_of(platform, slug, int(build["number"]))
        if found is not None:
            number, size = int(build["number"]), int(build["size"])
            return BaseBuild(number, size, build is builds[0], _read_table(found, limits))
    if builds:
        raise NoUpdate("the platform has not prepared one of the newest builds for updates yet")
    return None


def _index_of(platform: PlatformClient, slug: str, number: int) -> dict[str, Any] | None:
    try:
        return platform.game(slug, f"/builds/{number}/index")
    except CommandError as problem:
        # Without a pack, deleted meanwhile, or a platform of an earlier version.
        if problem.error_code == "no_pack" or problem.code is ExitCode.NOT_FOUND:
            return None
        raise


def _read_table(index: dict[str, Any], limits: ArchiveLimits) -> BaseTable:
    frame_bytes, reference = int(index["bytes"]), IndexReference(str(index["sha256"]), int(index["size"]))
    if frame_bytes > MAX_INDEX_BYTES:
        raise NoUpdate("the table of the platform's build is too large")
    frame = _fetch(str(index["url"]), frame_bytes)
    try:
        encoded = decompress_index(frame, reference)
        return BaseTable(decode_index(encoded, limits), encoded)
    except IndexRefused as refused:
        raise NoUpdate(f"the table of the platform's build is damaged ({refused})") from refused


def _fetch(url: str, size: int) -> bytes:
    """The object behind a presigned URL. Raises NoUpdate."""
    try:
        response = make_pool(1).request("GET", url, timeout=_TIMEOUT, redirect=False, preload_content=False)
        try:
            content = response.read(size + 1)
        finally:
            response.close()
    except (HTTPError, OSError) as error:
        why = describe_network_error(error)
        raise NoUpdate(f"the table of the platform's build cannot be fetched from storage: {why}") from error
    if response.status != 200 or len(content) != size:
        raise NoUpdate(
            f"the table of the platform's build cannot be fetched from storage, which answered {response.status} with "
            f"{len(content)} of {size} bytes"
        )
    return bytes(content)
