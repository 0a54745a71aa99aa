"""`slipway push`: from a folder or a tar.gz to a checked, released and cached build, up to the requested state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.output import Output
from slipway.cli.platform_client import PlatformClient
from slipway.cli.progress_bar import ProgressStep
from slipway.cli.push.archive_file import Archive, open_archive, pack_archive
from slipway.cli.push.archive_upload import ArchiveUpload
from slipway.cli.push.build_progress import Deadline, upload_path, wait_until_cached, wait_until_checked
from slipway.cli.push.change_detection import is_same_archive, remember_archive
from slipway.cli.push.directory_tree import read_tree
from slipway.cli.push.unfinished_push import UnfinishedPush
from slipway.client.sizes import format_size

WAIT_LEVELS = ("stored", "checked", "released", "cached")


@dataclass(frozen=True)
class PushOptions:
    """`wait` is one of WAIT_LEVELS. `release` None means the game's setting. In seconds: `timeout` limits the wait
    after the upload, `patience` the time without a response."""

    slug: str
    note: str | None = None
    release: bool | None = None
    if_changed: bool = False
    wait: str = "checked"
    timeout: float = 3600.0
    patience: float = 300.0


class Push:
    """One push. `facts` are the fields of the last line of `--json`, for failures too."""

    def __init__(self, platform: PlatformClient, output: Output, options: PushOptions) -> None:
        self._platform = platform
        self._output = output
        self._options = options
        self._interrupted_hint = "Nothing was sent; push again."
        self.facts: dict[str, Any] = {"game": options.slug, "reached": None}

    def run(self, path: Path) -> str:
        """Push, and return the result as a sentence. Raises CommandError."""
        self._output.plan(self._phases(path))
        try:
            return self._run(path)
        except CommandError as problem:
            problem.facts = self.facts | problem.facts
            raise
        except KeyboardInterrupt:
            raise CommandError(
                f"Interrupted. {self._interrupted_hint}", ExitCode.INTERRUPTED, "interrupted", **self.facts
            ) from None

    def _phases(self, path: Path) -> list[str]:
        options = self._options
        first = ["packing"] if path.is_dir() else ["reading"] if options.if_changed else []
        after = {"stored": [], "cached": ["checking", "caching"]}.get(options.wait, ["checking"])
        return [*first, "uploading", *after]

    def _run(self, path: Path) -> str:
        self._platform.game(self._options.slug)  # reports an unknown game or key before anything is packed
        self._platform.set_retry_budget(self._options.patience)
        archive = self._archive(path)
        try:
            if self._options.if_changed:
                newest = self._unchanged(archive)
                if newest is not None:
                    return self._nothing_changed(newest)
            upload = self._send(archive)
            return self._follow(archive, upload)
        finally:
            archive.close()

    def _archive(self, path: Path) -> Archive:
        if not path.is_dir():
            return open_archive(path)
        tree = read_tree(path)
        if tree.excluded:
            shown = ", ".join(tree.excluded[:5]) + (" …" if len(tree.excluded) > 5 else "")
            self._output.info(f"Left out: {len(tree.excluded)} ({shown})")
        self.facts["leftOut"] = tree.excluded[:1000]
        total = format_size(tree.size)

        def packed(done: int) -> None:
            self._output.step(ProgressStep("packing", done, tree.size, None, f"{format_size(done)} of {total}"))

        return pack_archive(path, tree, packed)

    def _unchanged(self, archive: Archive) -> dict[str, Any] | None:
        """The newest build if it has the archive's content, else None."""
        size = archive.size
        archive.compute_sha256(
            lambda done: self._output.step(ProgressStep("reading", done, size, None, format_size(done)))
        )
        builds = self._platform.game(self._options.slug, "/builds?limit=1")["builds"]
        if builds and is_same_archive(builds[0], archive, self._platform.url, self._options.slug):
            return dict(builds[0])
        return None

    def _nothing_changed(self, newest: dict[str, Any]) -> str:
        self.facts |= {"changed": False, "build": newest["number"], "checksum": newest["checksum"], "bytesSent": 0}
        return f"Nothing changed since build {newest['number']}. {self._reached(newest['number'], newest['released'])}"

    def _send(self, archive: Archive) -> dict[str, Any]:
        options = self._options
        unfinished = UnfinishedPush(self._platform.url, options.slug, archive.fingerprint(), options.release)
        sending = ArchiveUpload(self._platform, options.slug, archive, self._output, options.patience)
        self._interrupted_hint = "The parts sent so far are kept: push again to continue."
        self.facts["size"] = archive.size
        upload = sending.send(unfinished, options.note, options.release)
        self._interrupted_hint = "The archive is stored and will be checked: run `slipway status` to see the result."
        self.facts |= {
            "changed": True,
            "reached": "stored",
            "uploadId": upload["id"],
            "bytesSent": sending.bytes_sent,
            "bytesThereBefore": sending.bytes_already_stored,
        }
        self._unfinished = unfinished
        return upload

    def _follow(self, archive: Archive, upload: dict[str, Any]) -> str:
        if self._options.wait == "stored":
            return f"Stored: {format_size(archive.size)}. The platform checks it in the background."
        try:
            done = wait_until_checked(
                self._platform,
                upload_path(self._options.slug, str(upload["id"])),
                self._output,
                Deadline(self._options.timeout),
            )
        except CommandError as problem:
            if problem.code is ExitCode.REFUSED_ARCHIVE:
                self._unfinished.clear()
            raise
        self._unfinished.clear()
        remember_archive(archive, self._platform.url, self._options.slug)
        self.facts["build"] = done["build"]
        return self._reached(int(done["build"]), bool(done["released"]))

    def _reached(self, build: int, released: bool) -> str:
        """Follow a checked build to the requested state."""
        self.facts |= {"reached": "released" if released else "checked", "released": released}
        if not released:
            text = f"Build {build} is checked but not live. Run `slipway release {build}` to make it live."
            if self._options.wait in {"released", "cached"}:
                raise CommandError(text, ExitCode.NOT_RELEASED)
            return text
        if self._options.wait != "cached":
            return f"Build {build} is live."
        self._interrupted_hint = f"Build {build} is live. Run `slipway watch` to continue watching."
        sync = wait_until_cached(
            self._platform, self._options.slug, build, self._output, Deadline(self._options.timeout)
        )
        self.facts |= {"reached": "cached", "cachedOn": sync["cachedOn"], "totalServers": sync["totalServers"]}
        return f"Build {build} is live and cached on {sync['cachedOn']} of {sync['totalServers']} servers."
