"""Keeps the agent's threads going: one that ends is noticed, logged with its traceback, and started again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Thread

from agent import logs
from agent.backoff import Backoff

# With the waits of DEFAULT_BACKOFF some two minutes. A new process starts from what is on disk, which may be the cure.
MAX_ENDINGS = 8
# A thread that has run for so long since it last ended counts as well again.
SETTLED_SECONDS = 300.0
DEFAULT_BACKOFF = Backoff(first=1.0, longest=60.0)


@dataclass
class _Supervised:
    """`endings` counts those since the thread last ran for SETTLED_SECONDS. `restart_at` is None while it runs."""

    name: str
    run: Callable[[], None]
    thread: Thread
    started_at: float = 0.0
    error: BaseException | None = None
    endings: int = 0
    restart_at: float | None = None


class ThreadSupervisor:
    """`look()` is called by one thread; `failing` may be read by any. `on_change` is called when `failing` changes."""

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
        for one in self._supervised:
            self._start(one)

    def look(self) -> None:
        """Notice threads that ended, and start those again whose wait is over. To be called about every second."""
        if self._stopping.is_set():
            return
        now = self._clock()
        for one in self._supervised:
            if one.restart_at is None and not one.thread.is_alive():
                self._note_ending(one, now)
            if one.restart_at is not None and now >= one.restart_at and one.endings < MAX_ENDINGS:
                self._start(one)
        failing = tuple(one.name for one in self._supervised if _is_failing(one, now))
        if failing != self.failing:
            self.failing = failing
            self._on_change()

    @property
    def given_up(self) -> str | None:
        """The thread that ended MAX_ENDINGS times; only a new process may help it."""
        return next((one.name for one in self._supervised if one.endings >= MAX_ENDINGS), None)

    @property
    def threads(self) -> list[Thread]:
        return [one.thread for one in self._supervised]

    def _start(self, one: _Supervised) -> None:
        one.error, one.restart_at, one.started_at = None, None, self._clock()
        one.thread = Thread(target=_run, args=(one,), name=one.name, daemon=True)
        try:
            one.thread.start()
        except RuntimeError as error:  # no more threads on this machine; the next look() sees that it does not run
            one.error = error

    def _note_ending(self, one: _Supervised, now: float) -> None:
        if now - one.started_at >= SETTLED_SECONDS:
            one.endings = 0
        one.endings += 1
        wait = self._backoff.delay(one.endings)
        one.restart_at = now + wait
        fields = {"thread": one.name, "endings": one.endings, "restart_in_seconds": round(wait, 1)}
        if one.error is not None:
            logs.bug("a thread died; it is started again", one.error, **fields)
        else:
            logs.warning("a thread ended though nothing told it to; it is started again", **fields)


def _run(one: _Supervised) -> None:
    try:
        one.run()
    except BaseException as error:  # of any kind: look() logs it
        one.error = error


def _is_failing(one: _Supervised, now: float) -> bool:
    return one.endings > 0 and (one.restart_at is not None or now - one.started_at < SETTLED_SECONDS)
