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
# States of packs that could not be made.
_WITHOUT_PACK = {"no_room", "failed"}


class UpdateSize:
    """`sentence` is "" if servers fetch nothing yet. `facts` are for the last line of `--json`."""

    def __init__(self, platform: PlatformClient, slug: str, build: int) -> None:
        found = _with_prepared_update(platform, slug, build)
        self.facts: dict[str, Any] = {"update": found.get("update"), "pack": found.get("pack")}
        self.sentence = update_sentence(found) if found else ""


def update_sentence(build: dict[str, Any]) -> str:
    """What servers fetch for a build, from the platform's answer about it."""
    update, pack = build.get("update"), build.get("pack")
    if pack and pack["state"] in _WITHOUT_PACK:
        return f" Servers fetch the archive, {format_size(int(build['size']))}. {pack['reason']}"
    if not update or not update["servers"]:
        return ""
    if update["preparing"]:
        return f" Its update from build {update['from']} is being prepared."
    fetched, whole = format_size(update["bytes"]), format_size(int(build["size"]))
    return f" Servers with build {update['from']} fetch {fetched} instead of {whole}." if fetched != whole else ""


def _with_prepared_update(platform: PlatformClient, slug: str, build: int) -> dict[str, Any]:
    """The build, once its update is prepared or MAX_WAIT_SECONDS have passed. Empty if the platform does not answer:
    the push has succeeded already."""
    ends = time.monotonic() + MAX_WAIT_SECONDS
    while True:
        try:
            found = dict(platform.game(slug, f"/builds/{build}"))
        except CommandError:
            return {}
        update = found.get("update")
        if not update or not update["preparing"] or time.monotonic() >= ends:
            return found
        time.sleep(_POLL_SECONDS)
