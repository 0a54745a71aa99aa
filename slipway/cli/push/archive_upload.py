"""An archive on its way into storage, continued where an earlier push ended."""

from __future__ import annotations

from typing import Any

from slipway.cli.exit_codes import ExitCode
from slipway.cli.output import Output
from slipway.cli.platform_client import Platform
from slipway.cli.command_error import Problem
from slipway.cli.push.archive_file import Archive
from slipway.cli.push.build_progress import upload_path, uploading
from slipway.cli.push.part_urls import Addresses
from slipway.cli.push.part_uploader import PartSender, TransferGone
from slipway.cli.push.unfinished_push import Unfinished
from slipway.client.rate import RateMeter
from slipway.client.sizes import format_size

_ROUNDS = 3


class Sending:
    """One archive to one game. `bytes_sent` and `bytes_there_before` tell how much of it this push had to send."""

    def __init__(self, platform: Platform, slug: str, archive: Archive, output: Output, patience: float) -> None:
        self._platform = platform
        self._slug = slug
        self._archive = archive
        self._output = output
        self._patience = patience
        self.bytes_sent = 0
        self.bytes_there_before = 0

    def send(self, unfinished: Unfinished, note: str | None, release: bool | None) -> dict[str, Any]:
        """The upload, complete: `checking`, or even `done`. Raises Problem."""
        for _ in range(_ROUNDS):
            upload = self._resumed(unfinished) or self._begun(unfinished, note, release)
            try:
                upload = self._complete(upload)
            except TransferGone:
                upload = {"phase": "failed"}
            except Problem as problem:
                if problem.word == "file_changed":
                    self._platform.call("DELETE", upload_path(self._slug, str(upload["id"])))
                    unfinished.forget()
                # Cancelled, or it has ended: only what it was an answer to is known better now.
                if problem.word not in {"not_found", "upload_closed"}:
                    raise
                upload = {"phase": "failed"}
            if upload["phase"] != "failed":
                return upload
            if self._ended_well(unfinished):
                continue
            unfinished.forget()
            self._output.note("Storage no longer has the parts that were sent. Beginning anew.")
        raise Problem(
            "Storage lost the parts that were sent, three times. Tell the operator, then push again.",
            ExitCode.UNREACHABLE,
            "parts_lost",
        )

    def _ended_well(self, unfinished: Unfinished) -> bool:
        """Whether the upload went on without us."""
        upload = self._found(unfinished)
        return upload is not None and upload["phase"] in {"checking", "done"}

    def _resumed(self, unfinished: Unfinished) -> dict[str, Any] | None:
        """The upload that an earlier push began, if it can go on."""
        upload = self._found(unfinished)
        if upload is None or upload["phase"] == "failed" or upload["size"] != self._archive.size:
            unfinished.forget() if unfinished.upload_id else None
            return None
        if upload["parts"]:
            there = format_size(upload["receivedBytes"] or 0)
            self._output.note(f"Continuing: {there} of {format_size(upload['size'])} are there already.")
        return upload

    def _found(self, unfinished: Unfinished) -> dict[str, Any] | None:
        if unfinished.upload_id is None:
            return None
        try:
            return self._platform.call("GET", upload_path(self._slug, unfinished.upload_id))
        except Problem as problem:
            if problem.code is ExitCode.NOT_FOUND:
                return None
            raise

    def _begun(self, unfinished: Unfinished, note: str | None, release: bool | None) -> dict[str, Any]:
        request: dict[str, Any] = {"fileName": self._archive.file_name, "size": self._archive.size}
        if self._archive.sha256:
            request["checksum"] = f"sha256:{self._archive.sha256}"
        if note:
            request["note"] = note
        if release is not None:
            request["release"] = release
        key = unfinished.idempotency_key(request)
        upload = self._platform.call("POST", upload_path(self._slug), request, idempotency_key=key)
        unfinished.begun(str(upload["id"]))
        return upload

    def _complete(self, upload: dict[str, Any]) -> dict[str, Any]:
        """Send what is missing and complete. Raises Problem or TransferGone."""
        path = upload_path(self._slug, str(upload["id"]))
        for _ in range(_ROUNDS):
            if upload["phase"] != "uploading":
                return upload
            self._send_missing(path, upload)
            self._archive.require_unchanged()
            try:
                return self._platform.call("POST", f"{path}/complete")
            except Problem as problem:
                # A part that storage has lost, or kept with another size, is sent again.
                if problem.word not in {"parts_missing", "invalid_request"}:
                    raise
                refusal = problem
            upload = self._platform.call("GET", path)
        raise refusal

    def _send_missing(self, path: str, upload: dict[str, Any]) -> None:
        size, part_size = int(upload["size"]), int(upload["partSize"])
        sizes = {number + 1: min(part_size, size - number * part_size) for number in range(-(-size // part_size))}
        there = {part["partNumber"] for part in upload["parts"] if sizes.get(part["partNumber"]) == part["size"]}
        missing = {number: bytes_ for number, bytes_ in sizes.items() if number not in there}
        before = size - sum(missing.values())
        if not self.bytes_sent:
            self.bytes_there_before = before
        rate = RateMeter()
        addresses = Addresses(self._platform, path, upload.get("urls", ()), missing)
        sender = PartSender(self._archive, part_size, missing, addresses, self._patience)
        sender.run(lambda sent: self._output.step(uploading(before + sent, size, rate.at_total(sent))))
        self.bytes_sent += sum(missing.values())
