"""`slipway status` names the phase of each upload with the word that the dashboard has for it."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.cli.list_commands import _upload_line

UPLOAD = {
    "fileName": "lanterns.tar.gz",
    "size": 2 * 1024**3,
    "receivedBytes": 1024**3,
    "expiresAt": "2026-12-06T12:00:00Z",
    "check": {"bytesRead": 512 * 1024**2},
    "reason": "It has no launcher.",
}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"phase": "uploading"}, "Uploading, 1.0 of 2.0 GiB, kept until 2026-12-06T12:00:00Z."),
        (
            {"phase": "uploading", "receivedBytes": None},
            "Uploading, an unknown part of 2.0 GiB, kept until 2026-12-06T12:00:00Z.",
        ),
        (
            {"phase": "uploading", "silentSince": "2026-11-29T11:30:00Z"},
            "Stopped, nothing received since 2026-11-29T11:30:00Z, 1.0 of 2.0 GiB, kept until 2026-12-06T12:00:00Z.",
        ),
        ({"phase": "checking"}, "Checking, 0.5 of 2.0 GiB."),
        ({"phase": "failed"}, "Rejected. It has no launcher."),
    ],
)
def test_the_line_of_an_upload_has_the_word_of_its_phase(changes: dict[str, Any], line: str) -> None:
    assert _upload_line(UPLOAD | changes) == f"lanterns.tar.gz: {line}"
