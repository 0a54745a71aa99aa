"""One bar, which never goes back."""

from __future__ import annotations

import random

from slipway.cli.progress_bar import WEIGHTS, ProgressStep, ProgressTrack
from slipway.client.backoff import RetryBudget
from slipway.client.printable import printable
from slipway.client.sizes import format_seconds, format_size


def test_whatever_is_tried_again_the_bar_does_not_go_back() -> None:
    noise = random.Random(3)
    track = ProgressTrack(list(WEIGHTS))
    places = []
    for phase in WEIGHTS:
        places += [track.advance(ProgressStep(phase, noise.randint(0, 100), 100)) for _ in range(50)]
    assert places == sorted(places)
    assert track.advance(ProgressStep("caching", 100, 100)) == 1.0


def test_a_phase_begins_where_the_one_before_ends() -> None:
    track = ProgressTrack(["packing", "uploading"])
    assert track.advance(ProgressStep("packing", 10, 10)) == track.advance(ProgressStep("uploading", 0, 10))
    assert 0 < track.fraction < 1


def test_nothing_to_do_is_done() -> None:
    assert ProgressTrack(["packing"]).advance(ProgressStep("packing", 0, 0)) == 1.0


def test_patience_ends_after_its_time_and_begins_anew_with_any_success() -> None:
    patience = RetryBudget(3600.0)
    waits = [patience.wait_after(attempt) for attempt in range(1, 12)]
    assert all(wait is not None and 0 < wait <= 10 for wait in waits)
    assert patience.wait_after(1, at_least=7200.0) is None  # nobody is kept waiting longer than they said
    assert patience.wait_after(1, at_least=60.0) == 60.0
    none = RetryBudget(0.0)
    assert none.wait_after(1) is None
    none.succeeded()
    assert none.wait_after(1) is None


def test_sizes_and_times_are_said_as_on_the_dashboard() -> None:
    assert [format_size(count) for count in (0, 812, 1024, 3.2 * 2**30)] == ["0 B", "812 B", "1 KiB", "3.2 GiB"]
    assert [format_seconds(seconds) for seconds in (4, 240, 7500)] == ["4 s", "4 min", "2 h 5 min"]
    assert printable("a\x1b[31mb\nc") == "a\ufffd[31mb\ufffdc"
