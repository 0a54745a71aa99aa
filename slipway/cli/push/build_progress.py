"""Following a build after its upload: the check on the platform, then caching on the servers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.output import Output
from slipway.cli.platform_client import PlatformClient, game_path
from slipway.cli.progress_bar import ProgressStep
from slipway.client.printable import printable
from slipway.client.rate import RateMeter
from slipway.client.sizes import format_part, format_seconds, format_size

CACHE_POLL_SECONDS = 2.0


class Deadline:
    """A point in time, `seconds` from now; None means no deadline."""

    def __init__(self, seconds: float | None) -> None:
        self._at = None if seconds is None else time.monotonic() + seconds

    def sleep(self, seconds: float) -> bool:
        """Wait up to `seconds`, but not beyond the deadline. Returns False if the deadline has passed."""
        left = seconds if self._at is None else min(seconds, self._at - time.monotonic())
        if left > 0:
            time.sleep(left)
        return self._at is None or time.monotonic() < self._at


def wait_until_checked(
    platform: PlatformClient, slug: str, path: str, output: Output, deadline: Deadline
) -> dict[str, Any]:
    """Wait until the upload is a build, and return the upload. Raises CommandError: NOT_CHECKED if the check takes
    too long, REFUSED_ARCHIVE if it fails."""
    pause, rate = 0.2, RateMeter()
    while True:
        upload = _fetch_status(lambda: platform.call("GET", path), ExitCode.NOT_CHECKED, "The archive is stored")
        size = int(upload["size"])
        if upload["phase"] == "done":
            output.step(ProgressStep("checking", size, size, 0.0, format_part(size, size)))
            return upload
        if upload["phase"] == "failed":
            raise rejected_upload(upload)
        read = int(upload["check"]["bytesRead"])
        speed = rate.at_total(read)
        text = format_part(read, size) if read else "waiting for a worker"
        output.step(ProgressStep("checking", read, size, speed, text))
        if not deadline.sleep(pause):
            raise CommandError(
                "The archive is stored, but its check did not finish in time. "
                f"Run `slipway status {slug}` to see its state.",
                ExitCode.NOT_CHECKED,
                uploadId=upload["id"],
                phase=upload["phase"],
            )
        pause = min(2.0, pause * 1.5)


def rejected_upload(upload: dict[str, Any]) -> CommandError:
    """The error for a failed upload."""
    reason = printable(str(upload["reason"] or "The platform gave no reason."))
    return CommandError(
        reason, ExitCode.REFUSED_ARCHIVE, str(upload["error"] or ""), uploadId=upload["id"], phase="failed"
    )


def wait_until_cached(
    platform: PlatformClient, slug: str, build: int, output: Output, deadline: Deadline
) -> dict[str, Any]:
    """Wait until every server has the build, and return the game's sync. Raises CommandError: NOT_CACHED, or
    NOT_RELEASED if another build went live in the meantime."""
    rate = RateMeter()
    while True:
        live = _fetch_status(lambda: platform.game(slug), ExitCode.NOT_CACHED, f"Build {build} is live")[
            "releasedBuild"
        ]
        if live != build:
            instead = f": build {live} is" if live else ""
            raise CommandError(
                f"Build {build} is not live{instead}. Run `slipway release {build} {slug}` to make it live.",
                ExitCode.NOT_RELEASED,
                build=build,
                releasedBuild=live,
            )
        sync = _fetch_status(lambda: platform.game(slug, "/sync"), ExitCode.NOT_CACHED, f"Build {build} is live")
        output.step(_caching_step(sync, rate))
        # No other build was released between the two calls, so the sync is about this build.
        if not sync["pendingSync"] and sync["totalServers"] and platform.game(slug)["releasedBuild"] == build:
            return sync
        if not sync["totalServers"] or not deadline.sleep(CACHE_POLL_SECONDS):
            raise _not_cached(slug, build, sync)


def _fetch_status(ask: Callable[[], dict[str, Any]], code: ExitCode, reached: str) -> dict[str, Any]:
    """A response. If the platform can no longer be reached, the error names the state reached so far (`reached`,
    `code`)."""
    try:
        return ask()
    except CommandError as problem:
        if problem.code is ExitCode.UNREACHABLE:
            raise CommandError(f"{reached}, but then: {problem}", code, problem.error_code) from problem
        raise


def _caching_step(sync: dict[str, Any], rate: RateMeter) -> ProgressStep:
    servers = sync["servers"]
    size = max((int(server["bytesTotal"]) for server in servers), default=0) or 1
    done = sum(size if server["status"] == "cached" else min(size, int(server["bytesDone"])) for server in servers)
    total = size * len(servers)
    # Downloaded bytes still have to be unpacked, so the last hundredth waits for the servers' confirmation.
    done = done if not sync["pendingSync"] else min(done, int(total * 0.99))
    return ProgressStep(
        "caching", done, total, rate.at_total(done), f"Cached on {sync['cachedOn']} of {sync['totalServers']}"
    )


def _not_cached(slug: str, build: int, sync: dict[str, Any]) -> CommandError:
    waiting = [server for server in sync["servers"] if server["status"] != "cached"]
    named = ", ".join(f"{server['id']} ({server['error'] or server['phase']})" for server in waiting[:5])
    if len(waiting) > 5:
        named += f" and {len(waiting) - 5} more"
    text = (
        f"Build {build} is live, but cached on {sync['cachedOn']} of {sync['totalServers']} servers. Still waiting: "
        f"{printable(named)}. Run `slipway watch {slug}` to continue watching."
        if waiting
        else f"Build {build} is live, but there are no servers to cache it. Ask the operator to add one."
    )
    return CommandError(
        text, ExitCode.NOT_CACHED, build=build, cachedOn=sync["cachedOn"], totalServers=sync["totalServers"]
    )


def upload_step(done: int, total: int, speed: float) -> ProgressStep:
    """An upload step, with the same text as in the dashboard."""
    text = f"{100 * done // max(total, 1)} % · {format_part(done, total)}"
    if speed:
        text += f" · {format_size(speed)}/s · about {format_seconds((total - done) / speed)}"
    return ProgressStep("uploading", done, total, speed, text)


def upload_path(slug: str, upload_id: str = "", below: str = "") -> str:
    return game_path(slug, f"/uploads{f'/{upload_id}' if upload_id else ''}{below}")
