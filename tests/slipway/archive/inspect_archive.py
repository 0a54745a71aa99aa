"""Asking the package for its verdict, as the web application does."""

from collections.abc import Iterable

import pytest

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.inspection import Inspection, Inspector
from tests.slipway.archive.tar_writer import LAUNCHER


def inspect(data: bytes, *, launcher: str | None = LAUNCHER, limits: ArchiveLimits | None = None) -> Inspection:
    return inspect_pieces([data], launcher=launcher, limits=limits)


def inspect_pieces(
    pieces: Iterable[bytes | memoryview], *, launcher: str | None = LAUNCHER, limits: ArchiveLimits | None = None
) -> Inspection:
    inspector = Inspector(limits or ArchiveLimits(), launcher)
    for piece in pieces:
        inspector.feed(piece)
    return inspector.finish()


def assert_refused(
    data: bytes,
    *,
    problem: str,
    remedy: str,
    member: str | None = None,
    launcher: str | None = LAUNCHER,
    limits: ArchiveLimits | None = None,
) -> ArchiveRejected:
    """The archive is refused with these words, naming exactly this member."""
    with pytest.raises(ArchiveRejected) as caught:
        inspect(data, launcher=launcher, limits=limits)
    rejection = caught.value
    assert problem in rejection.problem
    assert remedy in rejection.remedy
    assert rejection.member == member
    if member:
        assert member in rejection.problem
    assert str(rejection) == f"{rejection.problem}. {rejection.remedy}."
    return rejection
