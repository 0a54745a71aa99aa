"""Restarts the agent's threads: a thread that ends is logged with its traceback and started again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Thread

from slipway.agent import logs
from slipway.client.backoff import Backoff

# With DEFAULT_BACKOFF this takes about two minutes. A new process then starts from the state on disk, which may help.
MAX_THREAD_FAILURES = 8
# After running this long, a thread no longer counts as failing.
STABLE_SECONDS = 300.0
DEFAULT_BACKOFF = Backoff(initial_delay=1.0, max_delay=60.0)


@dataclass
class _Supervised:
    """`failures` counts failures since the thread last ran for STABLE_SECONDS. `restart_at` is None while the thread
    runs; times are seconds of the monotonic clock."""

    name: str
    run: Callable[[], None]
    thread: Thread
    started_at: float = 0.0
    error: BaseException | None = None
    failures: int = 0
    restart_at: float | None = None


class ThreadSupervisor:
    """One thread calls `check_threads()`; any thread may read `failing`. `on_change` is called when `failing`
    changes."""

    def __init__(
        self,
        runs: Mapping[str, Callable[[], None]],
        stopping: Event,
        on_change: Callable[[], None],
        backoff: Backoff = DEFAULT_BACKOFF,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stopping = stopping
        self._on_change = on_change
        self._backoff = backoff
        self._clock = clock
        self._supervised = [_Supervised(name, run, Thread()) for name, run in runs.items()]
        self.failing: tuple[str, ...] = ()

    def start(self) -> None:
        for supervised in self._supervised:
            self._start(supervised)

    def check_threads(self) -> None:
        """Record threads that ended, and restart those whose wait is over. Call it about every second."""
        if self._stopping.is_set():
            return
        now = self._clock()
        for supervised in self._supervised:
            if supervised.restart_at is None and not supervised.thread.is_alive():
                self._record_failure(supervised, now)
            if (
                supervised.restart_at is not None
                and now >= supervised.restart_at
                and supervised.failures < MAX_THREAD_FAILURES
            ):
                self._start(supervised)
        failing = tuple(supervised.name for supervised in self._supervised if _is_failing(supervised, now))
        if failing != self.failing:
            self.failing = failing
            self._on_change()

    @property
    def exhausted_thread(self) -> str | None:
        """The name of a thread that failed MAX_THREAD_FAILURES times, or None. The agent should exit then."""
        return next(
            (supervised.name for supervised in self._supervised if supervised.failures >= MAX_THREAD_FAILURES), None
        )

    @property
    def threads(self) -> list[Thread]:
        return [supervised.thread for supervised in self._supervised]

    def _start(self, supervised: _Supervised) -> None:
        supervised.error, supervised.restart_at, supervised.started_at = None, None, self._clock()
        supervised.thread = Thread(target=_run, args=(supervised,), name=supervised.name, daemon=True)
        try:
            supervised.thread.start()
        except RuntimeError as error:  # the machine allows no more threads; the next check_threads() records that
            supervised.error = error

    def _record_failure(self, supervised: _Supervised, now: float) -> None:
        if now - supervised.started_at >= STABLE_SECONDS:
            supervised.failures = 0
        supervised.failures += 1
        wait = self._backoff.delay(supervised.failures)
        supervised.restart_at = now + wait
        fields = {"thread": supervised.name, "failures": supervised.failures, "restart_in_seconds": round(wait, 1)}
        if supervised.error is not None:
            logs.exception("a thread failed; restarting it", supervised.error, **fields)
        else:
            logs.warning("a thread ended unexpectedly; restarting it", **fields)


def _run(supervised: _Supervised) -> None:
    try:
        supervised.run()
    except BaseException as error:  # check_threads() logs it
        supervised.error = error


def _is_failing(supervised: _Supervised, now: float) -> bool:
    return supervised.failures > 0 and (
        supervised.restart_at is not None or now - supervised.started_at < STABLE_SECONDS
    )
