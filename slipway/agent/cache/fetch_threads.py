"""The threads that fetch builds, one a task, and what became of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread

from slipway.agent.cache.build_fetch import FetchTask
from slipway.agent.crash_points import fault_point
from slipway.agent.path_names import BuildKey


@dataclass(frozen=True)
class FetchOutcome:
    """`error` is None when the build is whole."""

    task: FetchTask
    error: BaseException | None


class FetchThreads:
    """Daemon threads: nothing waits for them at exit, because whatever they do can be cut anywhere."""

    def __init__(self, run: Callable[[FetchTask], None], limit: int, on_done: Callable[[], None]) -> None:
        self._run = run
        self._limit = limit
        self._on_done = on_done
        self._lock = Lock()
        self._tasks: dict[BuildKey, FetchTask] = {}
        self._outcomes: list[FetchOutcome] = []

    def busy(self) -> frozenset[BuildKey]:
        """Builds being fetched, those included whose outcome was not taken yet."""
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
        except RuntimeError as error:  # no more threads on this machine: a failed attempt as any other
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
            # Of any kind, or the build would count as being fetched for ever. The reconciler tells a failed attempt
            # from a bug, and logs either.
            error = raised
        self._end(task, error)

    def _end(self, task: FetchTask, error: BaseException | None) -> None:
        with self._lock:
            self._outcomes.append(FetchOutcome(task, error))
        self._on_done()
