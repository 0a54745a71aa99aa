"""`slipway push --dry-run`: what would be sent, and whether the platform would accept it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.archive_file import Archive
from slipway.cli.push.push_access import PushAccess
from slipway.client.sizes import format_size


@dataclass(frozen=True)
class DryRunReport:
    """`facts` are for the last line of `--json`."""

    text: str
    facts: dict[str, Any]


def dry_run_report(
    archive: Archive, access: PushAccess, newest: dict[str, Any] | None, *, unchanged: bool
) -> DryRunReport:
    """The report for an archive that has passed the rules. Raises CommandError if it exceeds the quota."""
    facts: dict[str, Any] = {
        "dryRun": True,
        "changed": not unchanged,
        "checksum": f"sha256:{archive.sha256}",
        "bytesToSend": 0 if unchanged else archive.size,
    }
    if newest is not None and unchanged:
        facts["build"] = newest["number"]
        return DryRunReport(f"Nothing would be sent: build {newest['number']} has the same content.", facts)
    if access.quota_left is not None and archive.reserved_bytes > access.quota_left:
        raise CommandError(
            f"The archive needs {format_size(archive.reserved_bytes)}, but only {format_size(access.quota_left)} of "
            "the quota for builds are left. Delete builds that are no longer needed, or ask the operator for more.",
            ExitCode.REFUSED,
            "quota_exceeded",
            **facts,
        )
    what = f"{format_size(archive.size)} as {archive.file_name}"
    return DryRunReport(f"Would send {what}. The archive passes the platform's rules. Nothing was sent.", facts)
