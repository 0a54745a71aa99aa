"""A check that runs while its archive is sent: it reads ahead, and what it finds stops the sending."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from slipway.cli.command_error import CommandError
from slipway.cli.push.checking.archive_check import ArchiveRules
from slipway.cli.push.checking.background_check import BackgroundCheck
from tests.game_archives import big_archive

MIB = 1024**2
ARCHIVE = big_archive(3 * MIB)
RULES = ArchiveRules("paper-lanterns.sh", 100 * MIB, 100 * MIB)


def reader(archive: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: archive[offset : offset + size]


def test_the_result_is_that_of_reading_it_before() -> None:
    check = BackgroundCheck(reader(ARCHIVE), RULES, len(ARCHIVE))
    assert check.result().sha256 == hashlib.sha256(ARCHIVE).hexdigest()
    assert check.result_so_far == check.result()
    check.wait_for(len(ARCHIVE))
    check.stop()


def test_no_byte_counts_as_checked_before_it_was_read() -> None:
    go_on = threading.Event()

    def slow(offset: int, size: int) -> bytes:
        if offset >= MIB:
            assert go_on.wait(60)
        return ARCHIVE[offset : offset + size]

    check = BackgroundCheck(slow, RULES, len(ARCHIVE))
    check.wait_for(MIB)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(check.wait_for, MIB + 1)
        assert not waiting.done()
        assert check.result_so_far is None
        go_on.set()
        waiting.result(60)
    check.stop()


def test_a_refusal_reaches_those_that_send_earlier_bytes() -> None:
    check = BackgroundCheck(reader(ARCHIVE), ArchiveRules("other.sh", 100 * MIB, 100 * MIB), len(ARCHIVE))
    with pytest.raises(CommandError, match=r"other\.sh is not in the archive"):
        check.result()
    with pytest.raises(CommandError, match=r"other\.sh is not in the archive"):
        check.wait_for(1)
    assert check.result_so_far is None
    check.stop()


def test_a_file_that_cannot_be_read_is_no_result() -> None:
    def broken(offset: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    check = BackgroundCheck(broken, RULES, MIB)
    with pytest.raises(OSError, match="Input/output error"):
        check.result()
    check.stop()


def test_it_ends_when_it_is_stopped() -> None:
    check = BackgroundCheck(lambda offset, size: bytes(size), RULES, MIB)  # without an end, if it were an archive
    check.stop()
    assert check.result_so_far is None
