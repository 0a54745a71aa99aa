"""`slipway push`: from a folder or a tar.gz to a checked, released and cached build, up to the requested state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.output import Output
from slipway.cli.platform_client import PlatformClient
from slipway.cli.progress_bar import ProgressStep
from slipway.cli.push.archive_file import Archive
from slipway.cli.push.archive_sources import (
    STANDARD_INPUT,
    SourceOptions,
    open_archive,
    read_archive,
    read_pipe,
    read_standard_input,
)
from slipway.cli.push.archive_upload import ArchiveUpload
from slipway.cli.push.build_outcome import BuildOutcome
from slipway.cli.push.build_progress import Deadline, upload_path, wait_until_checked
from slipway.cli.push.change_detection import is_same_archive, is_same_content, remember_archive
from slipway.cli.push.checking.archive_check import ArchiveRules, without_packaging
from slipway.cli.push.checking.unread_archive import may_be_sent_unread
from slipway.cli.push.dry_run import dry_run_report
from slipway.cli.push.push_access import PushAccess, check_access
from slipway.cli.push.push_options import PushOptions
from slipway.cli.push.unfinished_push import UnfinishedPush
from slipway.cli.push.update_size import UpdateSize
from slipway.client.sizes import format_part, format_size

if TYPE_CHECKING:
    from slipway.cli.push.updates.directory_source import DirectorySource

# The platform's reasons to refuse an update, although it may accept the archive.
_UPDATE_UNUSABLE = {"base_unusable", "invalid_update", "no_pack"}
_CONTINUES = "The parts sent so far are kept: push again to continue."


class Push:
    """One push. `facts` are the fields of the last line of `--json`, for failures too."""

    def __init__(self, platform: PlatformClient, output: Output, options: PushOptions) -> None:
        self._platform = platform
        self._output = output
        self._options = options
        self._interrupted_hint = "Nothing was sent; push again."
        self._directory: DirectorySource | None = None
        self._unfinished: UnfinishedPush | None = None
        self.facts: dict[str, Any] = {"game": options.slug, "reached": None, "bytesSent": 0}

    def run(self, path: Path) -> str:
        """Push, and return the result as a sentence. Raises CommandError."""
        self._output.plan(self._phases(path))
        try:
            return self._run(path)
        except CommandError as problem:
            problem.facts = self.facts | problem.facts
            raise
        except KeyboardInterrupt:
            hint = self._interrupted_hint
            if hint == _CONTINUES and self._unfinished and self._unfinished.problem:
                hint = "Push again: it starts from the beginning."
            raise CommandError(f"Interrupted. {hint}", ExitCode.INTERRUPTED, "interrupted", **self.facts) from None

    def _phases(self, path: Path) -> list[str]:
        first = ["packing" if path.is_dir() else "reading"]
        if self._options.dry_run:
            return first
        after = {"stored": [], "cached": ["checking", "caching"]}.get(self._options.wait, ["checking"])
        return [*first, "uploading", *after]

    def _run(self, path: Path) -> str:
        access = check_access(self._platform, self._options)
        self._platform.set_retry_budget(self._options.patience)
        self.facts["warnings"] = []
        archive = self._open(path, access.rules)
        try:
            self.facts["size"] = archive.size
            self._show_warnings(archive, archive.warnings)
            newest = self._newest_build()
            unchanged = newest is not None and self._is_unchanged(newest, archive)
            if self._options.dry_run:
                return self._report(archive, access, newest, unchanged=unchanged)
            if newest is not None and unchanged:
                return self._skip(newest)
            if archive.update is None:
                return self._follow(archive, self._send(archive))
            return self._send_update(archive)
        finally:
            archive.close()

    def _send_update(self, update: Archive) -> str:
        """Send an update. If the platform cannot use it, send the whole archive."""
        try:
            return self._follow(update, self._send(update))
        except CommandError as problem:
            # Before anything is stored, "not found" means that the base was deleted meanwhile.
            base_is_gone = problem.error_code == "not_found" and self.facts["reached"] is None
            if self._directory is None or not (base_is_gone or problem.error_code in _UPDATE_UNUSABLE):
                raise
            self._output.info(f"{problem} Sending the whole archive.")
        archive = self._directory.pack(self._progress("packing", self._directory.tree.size))
        try:
            self.facts["size"] = archive.size
            return self._follow(archive, self._send(archive))
        finally:
            archive.close()

    def _open(self, path: Path, rules: ArchiveRules) -> Archive:
        """The archive to send, checked."""
        options = SourceOptions(rules, keep=not self._options.dry_run)
        file_name = f"{self._options.slug}.tar.gz"  # for an archive without a name
        if path == STANDARD_INPUT:
            return read_standard_input(file_name, options, self._progress("reading", None))
        if path.is_dir():
            return self._open_directory(path, options)
        if self._options.ignore:
            raise CommandError(f"--ignore is for folders, and {path} is an archive. Leave it out.", ExitCode.USAGE)
        if not path.is_file():  # a pipe: `slipway push <(tar czf - mygame)`
            return read_pipe(path, file_name, options, self._progress("reading", None))
        if may_be_sent_unread(self._platform, self._options, path):
            return open_archive(path, rules)
        return read_archive(path, options, self._progress("reading", path.stat().st_size))

    def _open_directory(self, path: Path, options: SourceOptions) -> Archive:
        # Imported here, because only directories need the libraries of packs.
        from slipway.cli.push.updates.directory_source import DirectorySource

        self._directory = DirectorySource(path, self._platform, self._output, self._options, options)
        tree = self._directory.tree
        if tree.excluded:
            shown = ", ".join(tree.excluded[:5]) + (" …" if len(tree.excluded) > 5 else "")
            self._output.info(f"Left out: {len(tree.excluded)} ({shown})")
        self.facts["leftOut"] = tree.excluded[:1000]
        return self._directory.open(self._progress("packing", tree.size))

    def _progress(self, phase: str, total: int | None) -> Callable[[int], None]:
        """Shows progress in bytes. `total` None: unknown until the end."""

        def show(done: int) -> None:
            text = format_size(done) if total is None else format_part(done, total)
            self._output.step(ProgressStep(phase, done, total or done + 1, None, text))

        return show

    def _newest_build(self) -> dict[str, Any] | None:
        builds = self._platform.game(self._options.slug, "/builds?limit=1")["builds"]
        return dict(builds[0]) if builds else None

    def _is_unchanged(self, newest: dict[str, Any], archive: Archive) -> bool:
        if archive.update is not None:
            return archive.update.same_files and archive.update.base == newest["number"]
        if self._options.if_changed:
            return is_same_content(newest, archive, self._platform.url, self._options.slug)
        return is_same_archive(newest, archive)

    def _report(self, archive: Archive, access: PushAccess, newest: dict[str, Any] | None, *, unchanged: bool) -> str:
        report = dry_run_report(archive, access, newest, unchanged=unchanged)
        self.facts |= report.facts
        return report.text

    def _skip(self, newest: dict[str, Any]) -> str:
        """The newest build is what would be sent."""
        self.facts["checksum"] = newest["checksum"]
        return self._conclude(int(newest["number"]), changed=False)

    def _send(self, archive: Archive) -> dict[str, Any]:
        options = self._options
        unfinished = UnfinishedPush(
            self._platform.url, options.slug, options.release, archive.size, archive.sha256 or archive.file_identity
        )
        self._unfinished = unfinished
        sending = ArchiveUpload(self._platform, options.slug, archive, self._output, options.patience)
        self._interrupted_hint = _CONTINUES
        upload = sending.send(unfinished, options.upload_fields)
        self._show_warnings(archive, archive.warnings)
        self._interrupted_hint = (
            f"The archive is stored and will be checked: run `slipway status {options.slug}` to see the result."
        )
        self.facts |= {
            "base": archive.update.base if archive.update else None,
            "changed": None,  # known after the check
            "reached": "stored",
            "uploadId": upload["id"],
            "bytesSent": self.facts["bytesSent"] + sending.bytes_sent,
            "bytesThereBefore": sending.bytes_already_stored,
        }
        return upload

    def _follow(self, archive: Archive, upload: dict[str, Any]) -> str:
        if self._options.wait == "stored":
            return f"Uploaded: {format_size(archive.size)}. The platform checks it in the background."
        path = upload_path(self._options.slug, str(upload["id"]))
        deadline = Deadline(self._options.timeout)
        try:
            done = wait_until_checked(self._platform, self._options.slug, path, self._output, deadline)
        except CommandError as problem:
            if self._unfinished and problem.code is ExitCode.REFUSED_ARCHIVE:
                self._unfinished.clear()
            raise
        if self._unfinished:
            self._unfinished.clear()
        self._show_warnings(archive, self._warnings_of(int(done["build"])))
        remember_archive(archive, self._platform.url, self._options.slug)
        build = int(done["build"])
        sent = self._share_sent(archive, build) if archive.update is not None else ""
        return self._conclude(build, changed=not done["unchanged"]) + sent

    def _share_sent(self, update: Archive, build: int) -> str:
        """How much of the build's archive an update was, as a sentence."""
        whole = int(self._platform.game(self._options.slug, f"/builds/{build}")["size"])
        self.facts["archiveSize"] = whole
        return f" Sent {format_size(update.size)} instead of {format_size(whole)}."

    def _show_warnings(self, archive: Archive, warnings: Iterable[str]) -> None:
        """Show those that were not shown yet."""
        for text in warnings:
            warning = without_packaging(text) if archive.tar_sha256 else text
            if warning not in self.facts["warnings"]:
                self.facts["warnings"].append(warning)
                self._output.info(f"Warning: {warning}")

    def _warnings_of(self, build: int) -> Iterable[str]:
        """The platform's warnings about a build. Its version may find more than this command."""
        try:
            return list(self._platform.game(self._options.slug, f"/builds/{build}")["warnings"])
        except CommandError as problem:
            if problem.code is ExitCode.NOT_FOUND:  # deleted already: the game keeps few builds
                return []
            raise

    def _conclude(self, build: int, *, changed: bool) -> str:
        """Follow a checked build to the requested state."""
        self._interrupted_hint = (
            f"Build {build} is checked: run `slipway status {self._options.slug}` to see its state."
        )
        if not changed and (self._options.note or self._options.version_label):
            self._output.info(f"Build {build} keeps its own note and version label: no new build was made.")
        outcome = BuildOutcome(self._platform, self._options, self._output, build, changed=changed)
        try:
            text = outcome.follow()
        finally:
            self.facts |= outcome.facts
        if not changed:
            return text
        update = UpdateSize(self._platform, self._options.slug, build)
        self.facts |= update.facts
        return text + update.sentence
