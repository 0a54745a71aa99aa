"""Running tasks side by side so that the first failure ends them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

from slipway.packs.format.refusals import TransferCancelled

_WAITING_PER_THREAD = 4

Task = Callable[[], None]


class ParallelTasks:
    """A few threads. Tasks call `check` between their steps: it raises when the others have failed."""

    def __init__(self, threads: int, cancelled: Callable[[], bool] | None) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="packs")
        self._cancelled = cancelled
        self._failed = False

    def run(self, tasks: Iterable[Task]) -> None:
        """Run all tasks, taking them from the iterable as threads become free. Raises the first failure, when no task
        runs any more."""
        running: set[Future[None]] = set()
        failure: BaseException | None = None
        for task in tasks:
            running.add(self._pool.submit(task))
            if len(running) >= _WAITING_PER_THREAD * self._threads:
                failure, running = self._wait(running)
                if failure:
                    break
        while running:
            another, running = self._wait(running)
            failure = failure or another
        if failure:
            raise failure

    def check(self) -> None:
        """Raises TransferCancelled when the caller has cancelled, or another task has failed."""
        if self._failed or (self._cancelled and self._cancelled()):
            raise TransferCancelled("the transfer was cancelled")

    def _wait(self, running: set[Future[None]]) -> tuple[BaseException | None, set[Future[None]]]:
        done, left = wait(running, return_when=FIRST_COMPLETED)
        failures = [error for future in done if (error := future.exception())]
        # Those that only ended because another had failed are not the reason.
        failures.sort(key=lambda error: isinstance(error, TransferCancelled))
        if failures:
            self._failed = True
            return failures[0], left
        return None, left

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._failed = self._failed or error is not None
        self._pool.shutdown(cancel_futures=True)
