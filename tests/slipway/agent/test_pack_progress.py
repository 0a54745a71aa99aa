"""The progress of a build that is made from a pack: recorded in steps, and complete in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.agent.build_statuses import BuildStatuses
from slipway.agent.cache.disk_space import DiskSpace
from slipway.agent.cache.fetch_task import FetchCancelled, FetchTask
from slipway.agent.fetch_source import PACK, FetchSource
from slipway.agent.packs.pack_progress import PackProgress
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import WantedBuild

KEY = BuildKey("g1", 1)
WANTED = WantedBuild(KEY, 1000, "0" * 64, 1, "top", "a.sh", "http://storage/a", True, 0)


class CountedSpace(DiskSpace):
    """Remembers what was recorded as written."""

    def __init__(self, cache: Path) -> None:
        super().__init__(cache, 0)
        self.written: list[int] = []

    def record_written(self, key: BuildKey, count: int) -> None:
        super().record_written(key, count)
        self.written.append(count)


@pytest.fixture
def task() -> FetchTask:
    return FetchTask(WANTED, 1, lambda: WANTED, lambda key: WANTED)


@pytest.fixture
def statuses() -> BuildStatuses:
    return BuildStatuses(on_change=lambda: None)


@pytest.fixture
def space(tmp_path: Path) -> CountedSpace:
    return CountedSpace(tmp_path)


@pytest.mark.parametrize(
    ("chunk_bytes", "chunks", "most"),
    [
        pytest.param(10_000, 10_000, 101, id="many-small-chunks"),
        pytest.param(100, 50, 50, id="few-small-chunks"),
        pytest.param(4 << 20, 30, 30, id="large-chunks"),
        pytest.param(7, 1, 1, id="one-chunk"),
    ],
)
def test_chunks_are_recorded_in_steps_and_all_of_them_in_the_end(
    task: FetchTask, statuses: BuildStatuses, space: CountedSpace, chunk_bytes: int, chunks: int, most: int
) -> None:
    content = chunks * chunk_bytes
    progress = PackProgress(task, statuses, space, resumed=False)
    progress.begin(FetchSource(PACK), content)
    progress.reserve(content, content)
    progress.received(content)
    for chunk in range(chunks):
        progress.placed((chunk + 1) * chunk_bytes, content)
    assert sum(space.written) == content
    assert most // 2 < len(space.written) <= most
    (shown,) = statuses.report()
    assert (shown["phase"], shown["bytesDone"], shown["bytesTotal"]) == ("verifying", content, content)


def test_a_cancelled_task_places_no_further_step(task: FetchTask, statuses: BuildStatuses, space: CountedSpace) -> None:
    progress = PackProgress(task, statuses, space, resumed=False)
    progress.reserve(100, 100)
    task.cancelled.set()
    with pytest.raises(FetchCancelled):
        progress.placed(1, 0)
