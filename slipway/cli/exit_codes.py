"""Exit codes of `slipway`, documented in docs/cli.md: pipelines rely on them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0  # the requested state was reached
    UNEXPECTED = 1
    USAGE = 2  # click's own code for wrong arguments
    NOT_CHECKED = 10  # stored, but the check has not finished
    REFUSED_ARCHIVE = 11
    NOT_RELEASED = 12  # checked, but not live
    NOT_CACHED = 13  # live, but not on every server in time
    UNREACHABLE = 20
    UNAUTHORIZED = 21
    NOT_FOUND = 22
    REFUSED = 23  # a quota, a limit, a conflict
    INTERRUPTED = 130
