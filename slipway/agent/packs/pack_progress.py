"""The progress of one build that is made from a pack, as reports and the disk account show it."""

from __future__ import annotations

from threading import Lock

from slipway.agent.build_statuses import BuildStatuses, Phase
from slipway.agent.cache.disk_space import DiskSpace
from slipway.agent.cache.fetch_task import FetchTask
from slipway.agent.crash_points import crash_point
from slipway.agent.fetch_source import FetchSource

_FLOOR_CHECK_INTERVAL_BYTES = 64 << 20
# Chunks come by the thousand: recording each would take some percent of an install's processor time.
_MAX_STEP_BYTES, _MIN_STEPS = 1 << 20, 100


class PackProgress:
    """The build is `downloading` until all bytes of the transfer have arrived, then `verifying` until all of its
    content is in place. Thread-safe. All counts are in bytes."""

    def __init__(self, task: FetchTask, statuses: BuildStatuses, space: DiskSpace, *, resumed: bool) -> None:
        """`resumed`: an earlier attempt has put something in place. The progress is shown once `resume` is called."""
        self._task = task
        self._resumed = resumed
        self._statuses = statuses
        self._space = space
        self._lock = Lock()
        self._source: FetchSource | None = None
        self._total = self._received = self._kept = 0
        self._content = self._to_write = self._recorded = self._written = self._unchecked = 0
        self._verifying = False

    def begin(self, source: FetchSource, total: int) -> None:
        """A transfer of `total` bytes begins."""
        self._source, self._total = source, total
        if not self._resumed:
            self._show()

    def resume(self, missing: int) -> None:
        """About `missing` bytes are still to be fetched: progress continues where the earlier attempt ended."""
        self._kept = max(0, self._total - self._received - missing)
        self._resumed = False
        self._show()

    def reserve(self, content: int, to_write: int) -> None:
        """Reserve space: of `content` bytes in total, `to_write` are written, the others are shared with another build.
        Raises DiskFull."""
        self._content, self._to_write = content, to_write
        self._space.reserve(self._task.wanted.key, to_write)

    def received(self, count: int) -> None:
        """Raises FetchCancelled."""
        self._task.check()
        with self._lock:
            self._received += count
            done, verifying = self._done, self._verifying
        if not (verifying or self._resumed):
            self._statuses.set_progress(self._task.wanted.key, done, transferred=count)

    def placed(self, done: int, fetched: int) -> None:
        """`done` bytes of the content are in place; this is recorded in steps. Raises FetchCancelled or DiskFull."""
        step = min(_MAX_STEP_BYTES, self._content // _MIN_STEPS)
        if done < min(self._recorded + step, self._content):
            return
        self._recorded = done
        self._task.check()
        key = self._task.wanted.key
        if not self._verifying and self._received >= self._total:
            self._verifying = True
            self._statuses.set_phase(key, Phase.VERIFYING, self._content, attempt=self._task.attempt)
        if self._verifying:
            self._statuses.set_progress(key, done)
        # Shared bytes count first, so that the reservation is never smaller than what is still to be written.
        written = max(0, done - (self._content - self._to_write))
        self._space.record_written(key, written - self._written)
        self._unchecked += written - self._written
        self._written = written
        if self._unchecked >= _FLOOR_CHECK_INTERVAL_BYTES:
            self._unchecked = 0
            self._space.check_floor(self._to_write - written)
        if done >= self._content // 2:
            crash_point("mid-pack")

    @property
    def _done(self) -> int:
        """What was kept is an estimate: it alone completes no transfer."""
        return max(self._received, min(self._kept + self._received, self._total - 1))

    def _show(self) -> None:
        key, attempt = self._task.wanted.key, self._task.attempt
        self._statuses.set_phase(key, Phase.DOWNLOADING, self._total, self._done, attempt, self._source)
