"""The threads that fetch builds, one per task, and their outcomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread

from slipway.agent.cache.fetch_task import FetchTask
from slipway.agent.crash_points import fault_point
from slipway.agent.path_names import BuildKey


@dataclass(frozen=True)
class FetchOutcome:
    """`error` is None if the build is complete."""

    task: FetchTask
    error: BaseException | None


class FetchThreads:
    """Daemon threads: nothing waits for them at exit, because each step can be interrupted anywhere."""

    def __init__(self, run: Callable[[FetchTask], None], limit: int, on_done: Callable[[], None]) -> None:
        self._run = run
        self._limit = limit
        self._on_done = on_done
        self._lock = Lock()
        self._tasks: dict[BuildKey, FetchTask] = {}
        self._outcomes: list[FetchOutcome] = []

    def busy(self) -> frozenset[BuildKey]:
        """Builds being fetched, including those whose outcome is not collected yet."""
        with self._lock:
            return frozenset(self._tasks)

    @property
    def has_free_thread(self) -> bool:
        with self._lock:
            return len(self._tasks) < self._limit

    def start(self, task: FetchTask) -> None:
        with self._lock:
            self._tasks[task.wanted.key] = task
        try:
            Thread(target=self._work, args=(task,), name=f"fetch-{task.wanted.key}", daemon=True).start()
        except RuntimeError as error:  # the machine allows no more threads: an ordinary failed attempt
            self._end(task, error)

    def cancel(self, key: BuildKey) -> None:
        with self._lock:
            task = self._tasks.get(key)
        if task:
            task.cancelled.set()

    def cancel_all(self) -> None:
        for key in self.busy():
            self.cancel(key)

    def collect_outcomes(self) -> list[FetchOutcome]:
        with self._lock:
            outcomes, self._outcomes = self._outcomes, []
            for outcome in outcomes:
                del self._tasks[outcome.task.wanted.key]
        return outcomes

    def _work(self, task: FetchTask) -> None:
        error: BaseException | None = None
        try:
            fault_point("fetch")
            self._run(task)
        except BaseException as raised:
            # Every error must be caught, or the build would count as being fetched forever. The reconciler logs it.
            error = raised
        self._end(task, error)

    def _end(self, task: FetchTask, error: BaseException | None) -> None:
        with self._lock:
            self._outcomes.append(FetchOutcome(task, error))
        self._on_done()
