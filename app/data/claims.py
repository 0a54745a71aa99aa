"""Claims: at most one worker works on a row. The row has the worker's token, which a heartbeat keeps alive.

A worker that dies, or is frozen longer than the lease, loses its claim to the next. If it wakes up, it notices at its
next heartbeat, and at the latest when it writes its result.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from flask import Flask
from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute

from app.data.database import announce, free_connection, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.outages import outage_in
from app.refusals import Refusal

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
HEARTBEAT_SECONDS = 1.0
IDLE_HEARTBEATS = 5  # without progress, every fifth heartbeat is written


def patient_claim(claim: Callable[[], bool], seconds: float) -> bool:
    """Try to claim until it succeeds, for so many seconds at most. `claim` is one transaction. Whether it succeeded."""
    deadline = time.monotonic() + seconds
    while not claim():
        free_connection()
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    free_connection()
    return True


class ClaimLost(Refusal):
    """Another worker has the claim now, so this one must not write a result."""

    def __init__(self) -> None:
        super().__init__("Another worker has taken this work over.")


@dataclass(frozen=True)
class ClaimColumns:
    """The columns that hold the claims of one table: the row's key, the worker's token, how many attempts began
    (without freed ones), and the last heartbeat."""

    key: InstrumentedAttribute[str]
    token: InstrumentedAttribute[str | None]
    begun: InstrumentedAttribute[int]
    touched_at: InstrumentedAttribute[datetime]

    def is_free(self) -> ColumnElement[bool]:
        """Whether nobody has a claim on the row, or only a worker without a heartbeat for the length of a lease."""
        return or_(self.token.is_(None), self.touched_at < now() - LEASE)

    def owns(self, key: str, token: str | None) -> bool:
        """Whether the worker with this token still has the claim: nobody cancelled the work or took it over."""
        found = db.session.scalar(select(self.key).where(self.key == key, self.token == token))
        free_connection()
        return found is not None

    def free(self, key: str, token: str | None, **values: Any) -> None:
        """End an attempt without a result, because storage does not answer or the process stops. It does not count."""
        with writing() as session:
            freed = {self.token: None, self.begun: self.begun - 1, self.touched_at: now()}
            freed |= {getattr(self.key.class_, name): value for name, value in values.items()}
            session.execute(update(self.key.class_).where(self.key == key, self.token == token).values(freed))
        free_connection()

    def beat(self, key: str, token: str | None, values: Mapping[str, int], topics: list[str]) -> bool:
        """Write a heartbeat with the progress `values`, and announce the topics. False if the claim is lost."""
        with writing() as session:
            beaten = session.scalar(
                update(self.key.class_)
                .where(self.key == key, self.token == token)
                .values({self.touched_at: now(), **{getattr(self.key.class_, name): n for name, n in values.items()}})
                .returning(self.key)
            )
            if beaten:
                announce(*topics)
        free_connection()
        return beaten is not None


class ClaimHeartbeat:
    """Keeps a claim alive and reports the work's progress, at most once a second, from its own thread, so that a slow
    storage does not make the worker look dead. `lost` is set when the work was cancelled or taken over.

    `progress` returns the columns that show it; `topics` are announced when it changed.
    """

    def __init__(
        self,
        app: Flask,
        columns: ClaimColumns,
        key: str,
        token: str | None,
        progress: Callable[[], dict[str, int]],
        topics: list[str],
    ) -> None:
        self.lost = threading.Event()
        self._app = app
        self._columns, self._key, self._token = columns, key, token
        self._progress, self._topics = progress, topics
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="claim-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        reported, idle = dict.fromkeys(self._progress(), 0), 0
        while not self._ended.wait(HEARTBEAT_SECONDS):
            present = self._progress()
            idle = 0 if present != reported else idle + 1
            if idle % IDLE_HEARTBEATS:
                continue
            try:
                with self._app.app_context():
                    topics = self._topics if present != reported else []
                    alive = self._columns.beat(self._key, self._token, present, topics)
            except SQLAlchemyError as error:
                if outage_in(error) is None:
                    log.warning("the heartbeat of %s was not written; trying again", self._key)
                continue
            reported = present
            if not alive:
                self.lost.set()
                return
