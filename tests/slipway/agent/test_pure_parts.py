"""The pure parts: back-off, rates, sizes, names, the statuses's rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.agent.boot_ids import BootIds
from slipway.agent.build_statuses import BuildStatuses, Phase
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.failed_builds import FailedBuilds
from slipway.agent.path_names import BuildKey, parse_build_key, parse_build_number, parse_identifier, parse_path_segment
from slipway.client.backoff import Backoff
from slipway.client.rate import RateMeter
from slipway.client.sizes import format_size, parse_size

KEY = BuildKey("g1", 3)
EVEN = Backoff(initial_delay=2.0, max_delay=60.0, jitter=lambda: 0.0)


def test_waits_double_until_the_longest() -> None:
    assert [EVEN.delay(attempt) for attempt in (1, 2, 3, 4, 5, 6, 7)] == [2, 4, 8, 16, 32, 60, 60]


def test_waits_stay_finite_without_end() -> None:
    assert EVEN.delay(100_000) == 60


def test_jitter_takes_up_to_half_of_a_wait() -> None:
    assert Backoff(initial_delay=8.0, jitter=lambda: 1.0).delay(1) == 4.0
    assert all(1.0 <= Backoff(initial_delay=2.0).delay(1) <= 2.0 for _ in range(100))


def test_attempts_count_up_while_nothing_gets_further() -> None:
    attempts = FailedBuilds(EVEN)
    assert attempts.next_attempt(KEY) == 1
    assert attempts.record_failure(KEY, "no route", now=100.0).retry_at == 102.0
    second = attempts.record_failure(KEY, "no route", now=102.0)
    assert (second.attempt, second.retry_at) == (2, 106.0)
    assert not attempts.is_due(KEY, 105.9)
    assert attempts.is_due(KEY, 106.0)


def test_an_attempt_that_got_further_starts_the_count_again() -> None:
    attempts = FailedBuilds(EVEN)
    for _ in range(5):
        attempts.record_failure(KEY, "no route", now=0.0)
    assert attempts.record_failure(KEY, "the connection broke", now=0.0, bytes_received=1000).attempt == 1
    assert attempts.record_failure(KEY, "the connection broke", now=0.0, bytes_received=1000).attempt == 2
    assert attempts.record_failure(KEY, "wrong digest", now=0.0, bytes_received=0).attempt == 3


def test_a_build_that_is_being_tried_again_is_not_waited_for() -> None:
    attempts, other = FailedBuilds(EVEN), BuildKey("g2", 1)
    attempts.record_failure(KEY, "no route", now=0.0)
    attempts.record_failure(other, "no route", now=10.0)
    assert attempts.next_due() == 2.0
    assert attempts.next_due(busy={KEY}) == 12.0


def test_retry_now_forgets_the_wait_once() -> None:
    attempts = FailedBuilds(EVEN)
    assert not attempts.update_retry_counter(KEY, 4)  # Pressed before this agent started.
    attempts.record_failure(KEY, "disk full", now=0.0)
    assert not attempts.update_retry_counter(KEY, 4)
    assert not attempts.is_due(KEY, 0.0)
    assert attempts.update_retry_counter(KEY, 5)
    assert attempts.is_due(KEY, 0.0)
    assert attempts.next_attempt(KEY) == 1


def test_freed_space_makes_only_the_disk_full_due() -> None:
    attempts, other = FailedBuilds(EVEN), BuildKey("g2", 1)
    attempts.record_failure(KEY, "disk full", now=50.0, disk_full=True)
    attempts.record_failure(other, "no route", now=50.0)
    attempts.retry_disk_full()
    assert attempts.is_due(KEY, 50.0)
    assert not attempts.is_due(other, 50.0)


def test_failures_of_builds_that_left_the_plan_are_forgotten() -> None:
    attempts = FailedBuilds(EVEN)
    attempts.record_failure(KEY, "no route", now=0.0)
    attempts.retain(set())
    assert attempts.failure(KEY) is None
    assert attempts.next_due() is None


def test_the_rate_is_that_of_the_last_seconds() -> None:
    meter = RateMeter(window=5.0)
    for second in range(20):
        meter.add(float(second), 1000)
    assert meter.rate(19.0) == 1200  # six samples over five seconds
    assert meter.rate(60.0) == 0


def test_the_first_burst_does_not_read_as_a_fantastic_rate() -> None:
    meter = RateMeter()
    meter.add(10.0, 500)
    meter.add(10.05, 500)
    assert meter.rate(10.05) == 1000


@pytest.mark.parametrize(
    ("text", "size"),
    [("500M", 500 << 20), ("2G", 2 << 30), ("2GiB", 2 << 30), ("1.5gb", 3 << 29), ("1048576", 1 << 20), ("0", 0)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "2X", "-1G", "1e9", "two"])
def test_what_is_not_a_size_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="like 500M or 2G"):
        parse_size(text)


def test_sizes_are_shown_short() -> None:
    shown = [format_size(size) for size in (0, 1023, 1 << 20, 3435973837, 2 << 30)]
    assert shown == ["0 B", "1 KiB", "1.0 MiB", "3.2 GiB", "2.0 GiB"]


@pytest.mark.parametrize("value", ["", ".slipway", "..", "a/b", "g 1", "-g", "g\n", "x" * 129, None, 7])
def test_ids_that_could_leave_the_cache_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="game id"):
        parse_identifier(value, "game id")


@pytest.mark.parametrize("value", [0, -1, True, "3", 1.0, None])
def test_build_numbers_are_whole_and_positive(value: object) -> None:
    with pytest.raises(ValueError, match="build"):
        parse_build_number(value)


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "a\\b", "a\0", "a\n", "é" * 128])
def test_top_directories_are_one_segment(value: str) -> None:
    with pytest.raises(ValueError, match="topDirectory"):
        parse_path_segment(value, "topDirectory")


def test_keys_read_back_from_file_names() -> None:
    assert parse_build_key(str(KEY)) == KEY
    assert [parse_build_key(text) for text in ("g1", "g1.", "g1.x", "g1.03", ".g1.3.json", "g1.³")] == [None] * 6


def test_a_row_shows_what_moves_and_then_that_it_is_there() -> None:
    now = 100.0
    statuses = BuildStatuses(on_change=lambda: None, clock=lambda: now)
    statuses.set_phase(KEY, Phase.DOWNLOADING, 4000, attempt=2)
    statuses.set_progress(KEY, 1500, transferred=500)
    (row,) = statuses.report()
    assert row == {
        "gameId": "g1",
        "build": 3,
        "phase": "downloading",
        "bytesDone": 1500,
        "bytesTotal": 4000,
        "bytesPerSecond": 500,
        "attempt": 2,
        "reason": None,
        "retryInSeconds": None,
        "source": None,
    }
    assert statuses.has_active_builds
    statuses.set_phase(KEY, Phase.CACHED)
    (row,) = statuses.report()
    assert (row["phase"], row["bytesDone"], row["bytesTotal"]) == ("cached", 4000, 4000)
    assert not statuses.has_active_builds


def test_a_failed_row_says_why_and_when_it_goes_on() -> None:
    now = 100.0
    statuses = BuildStatuses(on_change=lambda: None, clock=lambda: now)
    statuses.set_failure(KEY, 4000, FailedBuilds(EVEN).record_failure(KEY, "wrong digest", now))
    (row,) = statuses.report()
    assert (row["phase"], row["attempt"], row["reason"], row["retryInSeconds"]) == ("failed", 1, "wrong digest", 2)


def test_a_reason_is_one_short_line() -> None:
    statuses = BuildStatuses(on_change=lambda: None)
    statuses.set_failure(KEY, 1, FailedBuilds(EVEN).record_failure(KEY, "bad\nname\0" + "x" * 5000, 0.0))
    (row,) = statuses.report()
    assert row["reason"].startswith("bad name xxx")
    assert len(row["reason"]) == 400


def restarted(cache: Path, *, heard: bool) -> BootIds:
    """The next boot on this cache; `heard`: the platform takes its report."""
    layout = CacheLayout(cache)
    layout.create()
    boot = BootIds(layout)
    if heard:
        boot.acknowledge()
    return boot


def test_a_boot_follows_upon_the_last_one_that_was_heard(cache: Path) -> None:
    first = restarted(cache, heard=True)
    assert first.previous is None
    for _ in range(10):
        assert restarted(cache, heard=False).previous == first.id
    second = restarted(cache, heard=True)
    assert second.previous == first.id
    assert restarted(cache, heard=False).previous == second.id


def test_a_boot_that_may_have_been_heard_is_tried_next(cache: Path) -> None:
    first = restarted(cache, heard=True)
    killed = restarted(cache, heard=False)
    boot = restarted(cache, heard=False)
    assert boot.previous == first.id
    assert boot.use_next_candidate()
    assert boot.previous == killed.id
    assert not boot.use_next_candidate()  # Now it is time to wait; and then from the first again.
    assert boot.previous == first.id


def test_only_a_change_of_phase_is_told_at_once() -> None:
    changes: list[int] = []
    statuses = BuildStatuses(on_change=lambda: changes.append(1))
    statuses.set_phase(KEY, Phase.DOWNLOADING, 10)
    statuses.set_progress(KEY, 5, transferred=5)
    statuses.set_phase(KEY, Phase.DOWNLOADING, 10)
    assert len(changes) == 1


def test_removed_rows_go_once_they_were_reported() -> None:
    statuses = BuildStatuses(on_change=lambda: None)
    statuses.set_phase(KEY, Phase.REMOVED)
    statuses.set_phase(BuildKey("g2", 1), Phase.CACHED, 1)
    statuses.drop_removed({KEY, BuildKey("g2", 1)})
    assert statuses.keys() == {BuildKey("g2", 1)}
