"""Decides whether an archive is checked while it is sent, or before (docs/decisions/0090)."""

from __future__ import annotations

from pathlib import Path

from slipway.cli.platform_client import PlatformClient
from slipway.cli.push.archive_file import file_identity
from slipway.cli.push.push_options import PushOptions
from slipway.cli.push.unfinished_push import UnfinishedPush

# Reading less takes about a quarter of a second.
MIN_BYTES = 64 * 2**20


def may_be_sent_unread(platform: PlatformClient, options: PushOptions, path: Path) -> bool:
    """Whether an archive is large, and its digest is not needed before it is sent: to find out whether it is the newest
    build, or to continue the push of a copy of it."""
    found = path.stat()
    if found.st_size < MIN_BYTES or options.dry_run:
        return False
    builds = platform.game(options.slug, "/builds?limit=1")["builds"]
    if builds and builds[0]["size"] == found.st_size:
        return False
    identity = file_identity(path, found.st_mtime_ns)
    unfinished = UnfinishedPush(platform.url, options.slug, options.release, found.st_size, identity)
    return unfinished.upload_id is not None or not unfinished.others_exist
