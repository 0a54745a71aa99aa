"""Background work: Huey, with worker threads inside the web process by default, or `flask worker` processes on Redis.

The queue only wakes workers. The rows hold the work, and the periodic sweep finds what a crash left, so a lost job
loses nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from huey import RedisHuey, SqliteHuey, crontab
from huey.consumer import Consumer
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.api_keys.key_uses import key_uses
from app.config.settings import Settings
from app.data.claims import LEASE
from app.data.outages import outage_in
from app.images.image_processes import derivation_processes
from app.images.variant_jobs import derive
from app.maintenance.build_sweep import sweep
from app.packing.pack_requests import end_waits
from app.packing.pack_work import make_due_packs, work_is_due
from app.process.metrics import SWEEPS, count_sweep
from app.process.redis_state import redis_state
from app.process.state_log import StateLog
from app.runtime.check_watch import CheckWatch
from app.runtime.image_watch import ImageWatch
from app.runtime.queue_lengths import QueueLengths
from app.topics.queue import Job
from app.uploads.raw.receiver_lock import expire_abandoned_uploads
from app.uploads.resumable.archive_check import examine
from app.uploads.resumable.check_claims import due_checks

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger(__name__)
WORKERS = 2
CHECKERS = 2
PING_SECONDS = 3.0
PING_EVERY = 2.0
# A filter of a logger does not see what its descendants log.
_HUEY_LOGGERS = ("huey", "huey.consumer", "huey.consumer.Worker", "huey.consumer.Scheduler")


class Jobs:
    """The job queues of one app."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self.huey = _queue("slipway", settings, create_tables=True)
        # In a queue of its own, so that a thousand images do not delay a sweep or a health check.
        self.images = _queue("slipway-images", settings)
        # Checking an archive takes minutes.
        self.checks = _queue("slipway-checks", settings)
        # One at a time: making a pack takes minutes, both cores and much of the disk.
        self.packs = _queue("slipway-packs", settings)
        self._app = app
        self._instance = settings.instance
        self._alone = not settings.redis_url  # more web processes than one are refused at start without Redis
        self._lengths = QueueLengths((self.huey, self.images, self.checks, self.packs), settings.redis_url)
        self._consumers: list[Any] = []
        self._check_watch = CheckWatch(
            app, lambda: self._is_empty(self.checks), lambda row_id: self.enqueue("check_upload", row_id)
        )
        self._image_watch = ImageWatch(
            app, lambda: self._is_empty(self.images), lambda blob_id: self.enqueue("derive_image", blob_id)
        )
        self._ping_lock = threading.Lock()
        self._pinged_at = float("-inf")
        self._ping_ok = False
        self._worker_state = StateLog(
            log, "the background worker did not answer within %s s", "the background worker answers again"
        )
        self._define_tasks(app)
        for name in _HUEY_LOGGERS:
            logging.getLogger(name).addFilter(_without_outages)

    def _define_tasks(self, app: Flask) -> None:
        """The tasks of each queue. Workers of other processes find them by their names."""

        @self.huey.task(name="ping")  # type: ignore[untyped-decorator]  # Huey carries no types
        def ping() -> bool:
            return True

        @self.huey.task(name="sweep")  # type: ignore[untyped-decorator]  # Huey carries no types
        def sweep_now() -> None:
            with app.app_context():
                self._sweep_and_log()

        @self.huey.periodic_task(crontab(minute="*"), name="sweep_every_minute")  # type: ignore[untyped-decorator]  # Huey carries no types
        def sweep_every_minute() -> None:
            with app.app_context():
                self._sweep_and_log()

        @self.images.task(name="derive")  # type: ignore[untyped-decorator]  # Huey carries no types
        def derive_blob(blob_id: str) -> None:
            with app.app_context():
                derive(blob_id)

        @self.checks.task(name="check")  # type: ignore[untyped-decorator]  # Huey carries no types
        def check_upload(upload_id: str) -> None:
            with app.app_context():
                examine(upload_id)

        @self.packs.task(name="make_packs")  # type: ignore[untyped-decorator]  # Huey carries no types
        def make_packs(build_id: str) -> None:
            """`build_id` is the build that became due. The most urgent one may be another."""
            with app.app_context():
                make_due_packs()

        @self.packs.task(name="resume_packs")  # type: ignore[untyped-decorator]  # Huey carries no types
        def resume_packs() -> None:
            with app.app_context():
                make_due_packs()

        @self.checks.task(name="resume_checks")  # type: ignore[untyped-decorator]  # Huey carries no types
        def resume_checks() -> None:
            with app.app_context():
                for upload_id in due_checks():
                    self.enqueue("check_upload", upload_id)

        self._tasks: dict[Job, Callable[[str], object]] = {
            "check_upload": check_upload,
            "derive_image": derive_blob,
            "make_packs": make_packs,
        }
        self._resume_checks = resume_checks
        self._resume_packs = resume_packs
        self._ping = ping
        self._sweep = sweep_now

    def sweep_soon(self) -> None:
        """Enqueue a sweep: a session ended, a replica was deleted, an upload died."""
        self._sweep()

    def enqueue(self, job: Job, row_id: str) -> None:
        """Enqueue a job for a row. The row keeps the work even if the queue loses the job."""
        try:
            self._tasks[job](row_id)
        except RedisError as error:
            redis_state.failed(type(error).__name__)
        except Exception:  # of any kind: the sweep enqueues it again
            log.warning("the job %s for %s was not queued; the sweep will queue it", job, row_id)

    def start_workers(self) -> None:
        """Start worker threads in this process. Not `Consumer.run()`: off the main thread it fails on signals."""
        if self._alone:
            self._sweep_dead_uploads()  # before one of our workers claims anything
        # One more than there are child processes: while they decode, another image is fetched or stored.
        for queue, workers in (
            (self.huey, WORKERS),
            (self.images, derivation_processes.limit + 1),
            (self.checks, CHECKERS),
            (self.packs, 1),
        ):
            consumer = Consumer(queue, workers=workers, initial_delay=0.05, max_delay=0.5, check_worker_health=False)
            if queue is not self.images:
                consumer.scheduler.start()
            for _, worker in consumer.worker_threads:
                worker.start()
            self._consumers.append(consumer)
        self._check_watch.start()
        self._image_watch.start()
        # Claims that another process freed in order can be taken now, those of a dead process when their lease is over.
        try:
            for resume in (self._resume_checks, self._resume_packs):
                resume.schedule(delay=LEASE.total_seconds() + 1)
                resume()
        except RedisError as error:  # the threads wait for Redis, and the watch and the sweep find the work then
            redis_state.failed(type(error).__name__)

    def _sweep_dead_uploads(self) -> None:
        try:
            with self._app.app_context():
                marked = expire_abandoned_uploads(self._instance)
        except SQLAlchemyError:
            log.exception("uploads of an earlier process could not be expired; the sweep removes them after 10 minutes")
            return
        if marked:
            log.info("an earlier process died while it received %s uploads; they are being swept", marked)
            self.sweep_soon()

    def stop_workers(self) -> None:
        """Tell worker threads to end after their current job."""
        self._check_watch.stop()
        self._image_watch.stop()
        for consumer in self._consumers:
            consumer.stop_flag.set()

    def wait(self, seconds: float) -> None:
        """Wait up to this long for worker threads that were told to end."""
        until = time.monotonic() + seconds
        for consumer in self._consumers:
            for _, thread in consumer.worker_threads:
                thread.join(max(0.0, until - time.monotonic()))
        self._image_watch.wait(max(0.0, until - time.monotonic()))

    def worker_answers(self) -> bool:
        """Whether a worker accepts a job and answers within 3 s. Tested at most every 2 s, so that health checks cannot
        flood the queue."""
        with self._ping_lock:
            if time.monotonic() - self._pinged_at > PING_EVERY:
                try:
                    self._ping_ok = self._ping()(blocking=True, timeout=PING_SECONDS) is True
                except Exception:  # Huey raises its own and the storage's errors; each means that no worker answers
                    self._ping_ok = False
                if self._ping_ok:
                    self._worker_state.worked()
                else:
                    self._worker_state.failed(PING_SECONDS)
                self._pinged_at = time.monotonic()
            return self._ping_ok

    def waiting_jobs(self) -> dict[str, int] | None:
        """How many jobs wait for a worker, by the queue's name. None if the queue does not answer within a second."""
        return self._lengths.read()

    def _sweep_and_log(self) -> None:
        key_uses().write()  # of keys that were not used again
        self._check_watch.look()
        if self.packs.pending_count() == 0 and work_is_due():
            self._resume_packs()
        end_waits()
        with SWEEPS.labels("failed").count_exceptions():
            swept = sweep()
        count_sweep(
            swept.bytes_freed, uploads=swept.uploads, packs=swept.packs, objects=swept.objects, games=swept.games
        )
        if swept.uploads or swept.objects or swept.games:
            log.info(
                "swept %s uploads, %s packs that no server needs, %s objects, %s games; %s bytes freed",
                swept.uploads,
                swept.packs,
                swept.objects,
                swept.games,
                swept.bytes_freed,
            )

    def _is_empty(self, queue: Any) -> bool:
        """Whether a queue is known to be empty."""
        try:
            pending = queue.pending_count()
        except RedisError as error:
            redis_state.failed(type(error).__name__)
            return False
        if not self._alone:
            redis_state.worked()
        return bool(pending == 0)


def _without_outages(record: logging.LogRecord) -> bool:
    """A filter: each thread of a consumer would log a traceback for each try while Redis or the database is away."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, RedisError):
        redis_state.failed(type(error).__name__)
        return False
    return error is None or outage_in(error) is None


def _queue(name: str, settings: Settings, *, create_tables: bool = False) -> Any:
    """In SQLite, all queues are in the same tables. One of them creates the tables, because that waits for the disk."""
    if settings.redis_url:
        return RedisHuey(name, url=settings.redis_url, results=True)
    file = str(settings.instance / "queue.db")
    return SqliteHuey(name, filename=file, results=True, create_tables=create_tables)


def jobs(app: Flask) -> Jobs:
    """The app's queue, for code that starts and stops its workers."""
    found: Jobs = app.extensions["slipway_queue"]
    return found
