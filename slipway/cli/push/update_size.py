"""The last sentence of `slipway push`: what servers fetch for the new build."""

from __future__ import annotations

import time
from typing import Any

from slipway.cli.command_error import CommandError
from slipway.cli.platform_client import PlatformClient
from slipway.client.sizes import format_size

# Preparing an update of a few hundred megabytes takes some seconds; nobody waits for one of a hundred gigabytes.
MAX_WAIT_SECONDS = 20.0
_POLL_SECONDS = 0.5


class UpdateSize:
    """`sentence` is "" if servers fetch no update. `facts` are for the last line of `--json`."""

    def __init__(self, platform: PlatformClient, slug: str, build: int) -> None:
        update, archive_bytes = _prepared_update(platform, slug, build)
        self.facts: dict[str, Any] = {"update": update}
        self.sentence = _sentence(update, archive_bytes) if update and update["servers"] else ""


def _sentence(update: dict[str, Any], archive_bytes: int) -> str:
    if update["preparing"]:
        return f" Its update from build {update['from']} is being prepared."
    fetched, whole = format_size(update["bytes"]), format_size(archive_bytes)
    return f" Servers with build {update['from']} fetch {fetched} instead of {whole}." if fetched != whole else ""


def _prepared_update(platform: PlatformClient, slug: str, build: int) -> tuple[dict[str, Any] | None, int]:
    """The update and the size of the archive, once the update is prepared or MAX_WAIT_SECONDS have passed. No update if
    the platform does not answer: the push has succeeded already."""
    ends = time.monotonic() + MAX_WAIT_SECONDS
    while True:
        try:
            found = platform.game(slug, f"/builds/{build}")
        except CommandError:
            return None, 0
        update = found.get("update")
        if not update or not update["preparing"] or time.monotonic() >= ends:
            return update, int(found["size"])
        time.sleep(_POLL_SECONDS)
