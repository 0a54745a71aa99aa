"""The last sentence of a push: what servers fetch for the build."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.cli.push.update_size import update_sentence

ARCHIVE = 117_440_512
READY = {"state": "ready", "reason": None}
UPDATE = {"from": 13, "bytes": 54 * 1024, "preparing": False, "servers": 3}


@pytest.mark.parametrize(
    ("update", "pack", "sentence"),
    [
        (UPDATE, READY, " Servers with build 13 fetch 54 KiB instead of 112 MiB."),
        (UPDATE | {"preparing": True}, {"state": "making"}, " Its update from build 13 is being prepared."),
        (
            UPDATE | {"bytes": ARCHIVE},
            {"state": "no_room", "reason": "The portal's disk is full."},
            " Servers fetch the archive, 112 MiB. The portal's disk is full.",
        ),
        (
            UPDATE | {"bytes": ARCHIVE, "servers": 0},
            {"state": "failed", "reason": "Making it was interrupted 3 times."},
            " Servers fetch the archive, 112 MiB. Making it was interrupted 3 times.",
        ),
        (
            None,  # a first build
            {"state": "failed", "reason": "Making it was interrupted 3 times."},
            " Servers fetch the archive, 112 MiB. Making it was interrupted 3 times.",
        ),
        (None, READY, ""),
        (UPDATE | {"servers": 0}, READY, ""),
        (None, None, ""),
    ],
)
def test_what_servers_fetch(update: dict[str, Any] | None, pack: dict[str, Any] | None, sentence: str) -> None:
    assert update_sentence({"size": ARCHIVE, "update": update, "pack": pack}) == sentence
