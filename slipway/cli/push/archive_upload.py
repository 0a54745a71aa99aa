"""Uploading an archive, from the point where an earlier push ended."""

from __future__ import annotations

import contextlib
from typing import Any

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.output import Output
from slipway.cli.platform_client import PlatformClient
from slipway.cli.push.archive_file import Archive
from slipway.cli.push.build_progress import upload_path, upload_step
from slipway.cli.push.part_uploader import PartUploader, UploadGone
from slipway.cli.push.part_urls import PartUrls
from slipway.cli.push.unfinished_push import UnfinishedPush
from slipway.client.rate import RateMeter
from slipway.client.sizes import format_part

_MAX_ATTEMPTS = 3
# The archive itself is the reason, so the parts that were sent are of no use.
_ARCHIVE_UNUSABLE = {"file_changed", "invalid_archive"}


class ArchiveUpload:
    """Uploads one archive for one game. `bytes_sent` counts what this push sent, `bytes_already_stored` what earlier
    ones did."""

    def __init__(self, platform: PlatformClient, slug: str, archive: Archive, output: Output, patience: float) -> None:
        self._platform = platform
        self._slug = slug
        self._archive = archive
        self._output = output
        self._retry_budget = patience
        self.bytes_sent = 0
        self.bytes_already_stored = 0

    def send(self, unfinished: UnfinishedPush, fields: dict[str, object]) -> dict[str, Any]:
        """Send the archive and complete the upload, which is begun with `fields`. Returns the upload in phase
        `checking` or `done`. Raises CommandError."""
        for _ in range(_MAX_ATTEMPTS):
            upload = self._resume(unfinished) or self._begin(unfinished, fields)
            try:
                upload = self._complete(upload, unfinished)
            except UploadGone:
                upload = {"phase": "failed"}
            except CommandError as problem:
                if problem.error_code in _ARCHIVE_UNUSABLE:
                    with contextlib.suppress(CommandError):  # it expires by itself, and the reason matters more
                        self._platform.call("DELETE", upload_path(self._slug, str(upload["id"])))
                    unfinished.clear()
                # The upload was cancelled or has ended: its state decides how to go on.
                if problem.error_code not in {"not_found", "upload_closed"}:
                    raise
                upload = {"phase": "failed"}
            if upload["phase"] != "failed":
                return upload
            if self._continued_elsewhere(unfinished):
                continue
            unfinished.clear()
            self._output.info("Storage no longer has the parts that were sent. Starting again.")
        raise CommandError(
            f"Storage lost the parts that were sent, {_MAX_ATTEMPTS} times. Tell the operator, then push again.",
            ExitCode.UNREACHABLE,
            "parts_lost",
        )

    def _continued_elsewhere(self, unfinished: UnfinishedPush) -> bool:
        """Whether the platform has already completed the upload."""
        upload = self._fetch_upload(unfinished)
        return upload is not None and upload["phase"] in {"checking", "done"}

    def _resume(self, unfinished: UnfinishedPush) -> dict[str, Any] | None:
        """The upload of an earlier push, if it can be continued."""
        upload = self._fetch_upload(unfinished)
        if upload is None or upload["phase"] == "failed" or self._is_superseded(upload):
            if unfinished.upload_id:  # otherwise only the request is stored, and repeating it gets its upload
                unfinished.clear()
            return None
        if upload["parts"]:
            there = format_part(upload["receivedBytes"] or 0, upload["size"])
            self._output.info(f"Continuing: {there} are stored already.")
        return upload

    def _is_superseded(self, upload: dict[str, Any]) -> bool:
        """Whether the upload became a build, and a newer build followed. The same bytes are then a new build."""
        if upload["phase"] != "done":
            return False
        newest = self._platform.game(self._slug, "/builds?limit=1")["builds"]
        return not newest or newest[0]["number"] != upload["build"]

    def _fetch_upload(self, unfinished: UnfinishedPush) -> dict[str, Any] | None:
        if unfinished.upload_id is None:
            return None
        try:
            return self._platform.call("GET", upload_path(self._slug, unfinished.upload_id))
        except CommandError as problem:
            if problem.code is ExitCode.NOT_FOUND:
                return None
            raise

    def _begin(self, unfinished: UnfinishedPush, fields: dict[str, object]) -> dict[str, Any]:
        archive = self._archive
        request: dict[str, object] = {"fileName": archive.file_name, "size": archive.size}
        if archive.sha256:  # otherwise it is sent with the last call
            request["checksum"] = f"sha256:{archive.sha256}"
        request |= archive.upload_fields | fields
        key = unfinished.idempotency_key(request)
        if unfinished.problem:
            self._output.info(f"If this push is interrupted, it starts again: {unfinished.problem}")
        upload = self._platform.call("POST", upload_path(self._slug), request, headers={"Idempotency-Key": key})
        unfinished.record_upload(str(upload["id"]))
        return upload

    def _complete(self, upload: dict[str, Any], unfinished: UnfinishedPush) -> dict[str, Any]:
        """Send what is missing and complete. Raises CommandError or UploadGone."""
        path = upload_path(self._slug, str(upload["id"]))
        for _ in range(_MAX_ATTEMPTS):
            if upload["phase"] != "uploading":
                return upload
            self._send_missing(path, upload, unfinished)
            self._archive.finish_check()
            self._archive.require_unchanged()
            try:
                return self._platform.call("POST", f"{path}/complete", headers=self._checksum())
            except CommandError as problem:
                # A part that storage has lost, or stored with another size, is sent again.
                if problem.error_code not in {"parts_missing", "invalid_request"}:
                    raise
                refusal = problem
            upload = self._platform.call("GET", path)
        raise refusal

    def _checksum(self) -> dict[str, str]:
        return {"X-Checksum-Sha256": self._archive.sha256}

    def _send_missing(self, path: str, upload: dict[str, Any], unfinished: UnfinishedPush) -> None:
        size, part_size = int(upload["size"]), int(upload["partSize"])
        sizes = {number + 1: min(part_size, size - number * part_size) for number in range(-(-size // part_size))}
        there = {part["partNumber"] for part in upload["parts"] if sizes.get(part["partNumber"]) == part["size"]}
        missing = {number: bytes_ for number, bytes_ in sizes.items() if number not in there}
        before = size - sum(missing.values())
        if not self.bytes_sent:
            self.bytes_already_stored = before
        rate = RateMeter()
        addresses = PartUrls(self._platform, path, upload.get("urls", ()), missing)
        sender = PartUploader(self._archive, part_size, missing, addresses, self._retry_budget)

        def on_progress(sent: int) -> None:
            self._output.step(upload_step(before + sent, size, rate.at_total(sent)))
            if self._archive.check is not None and self._archive.take_result():
                unfinished.add_identity(self._archive.sha256)  # of a copy of the file it is the same

        sender.run(on_progress)
        self.bytes_sent += sum(missing.values())
