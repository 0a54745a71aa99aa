"""What became of a pushed build, read from the platform when the command ends: whether it is live, and cached."""

from __future__ import annotations

from typing import Any

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.output import Output
from slipway.cli.platform_client import PlatformClient
from slipway.cli.push.build_progress import Deadline, wait_until_cached
from slipway.cli.push.push_options import PushOptions


class BuildOutcome:
    """A checked build. `changed` False: the newest build had the same content, so no build was made. `facts` are for
    the last line of `--json`."""

    def __init__(
        self, platform: PlatformClient, options: PushOptions, output: Output, build: int, *, changed: bool
    ) -> None:
        self._platform = platform
        self._options = options
        self._output = output
        self._build = build
        self._changed = changed
        self.facts: dict[str, Any] = {"changed": changed, "build": build, "reached": "checked"}

    def follow(self) -> str:
        """Follow the build to the requested state, and return the result as a sentence. Raises CommandError."""
        live = self._live_build()
        if live != self._build and self._options.release and not self._changed:
            self._release()
            live = self._live_build()
        is_live = live == self._build
        self.facts |= {"released": is_live, "reached": "released" if is_live else "checked", "releasedBuild": live}
        begin = "" if self._changed else f"Nothing changed since build {self._build}. "
        if not is_live:
            return begin + self._not_live(live)
        if self._options.wait != "cached":
            return f"{begin}Build {self._build} is live."
        return begin + self._follow_to_servers()

    def _live_build(self) -> int | None:
        try:
            found = self._platform.game(self._options.slug)["releasedBuild"]
        except CommandError as problem:
            raise CommandError(
                f"Build {self._build} is checked. Whether it is live is not known: {problem}",
                problem.code,
                problem.error_code,
            ) from problem
        return None if found is None else int(found)

    def _release(self) -> None:
        """`--release` of content that was there before: the platform releases only new builds by itself."""
        try:
            self._platform.game(self._options.slug, "/releases", "POST", {"build": self._build})
        except CommandError as problem:
            raise CommandError(
                f"Nothing changed since build {self._build}, and it was not released: {problem}",
                ExitCode.NOT_RELEASED,
                problem.error_code,
                released=False,
            ) from problem

    def _not_live(self, live: int | None) -> str:
        slug = self._options.slug
        other = f": build {live} is" if live else ""
        remedy = f"Run `slipway release {self._build} {slug}` to make it live."
        text = f"Build {self._build} is checked but not live{other}. {remedy}"
        if self._options.release or self._options.wait in {"released", "cached"}:
            raise CommandError(text, ExitCode.NOT_RELEASED)
        return text

    def _follow_to_servers(self) -> str:
        build, slug = self._build, self._options.slug
        try:
            sync = wait_until_cached(self._platform, slug, build, self._output, Deadline(self._options.timeout))
        except KeyboardInterrupt:
            raise CommandError(
                f"Interrupted. Build {build} is live. Run `slipway watch {slug}` to continue watching.",
                ExitCode.INTERRUPTED,
                "interrupted",
            ) from None
        self.facts |= {"reached": "cached", "cachedOn": sync["cachedOn"], "totalServers": sync["totalServers"]}
        return f"Build {build} is live and cached on {sync['cachedOn']} of {sync['totalServers']} servers."
