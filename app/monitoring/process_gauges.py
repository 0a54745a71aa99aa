"""Gauges of this process: its thread budgets and database pool, and the job queues and storage as it sees them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from flask import current_app
from prometheus_client.core import GaugeMetricFamily

from app.data.extensions import db
from app.limits import thread_budgets
from app.storage.availability import storage_status
from app.topics.queue import waiting_jobs

PLACES = {
    "live_pages": thread_budgets.streams,
    "waiting_polls": thread_budgets.waiting_polls,
    "raw_uploads": thread_budgets.raw_uploads,
    "comparisons": thread_budgets.comparisons,
    "image_uploads": thread_budgets.image_uploads,
    "images": thread_budgets.images,
    "downloads": thread_budgets.downloads,
}


def process_gauges() -> Iterator[GaugeMetricFamily]:
    """Needs an app context, and no database connection."""
    build = GaugeMetricFamily("slipway_build_info", "The version of the program.", labels=["version"])
    build.add_metric([version("slipway")], 1)
    yield build
    yield from _places()
    yield from _database_pool()
    yield from _job_queues()
    yield GaugeMetricFamily(
        "slipway_storage_up", "Whether storage answered this process's last call.", not storage_status.is_out
    )


def _places() -> Iterator[GaugeMetricFamily]:
    in_use = GaugeMetricFamily("slipway_places_in_use", "Used places of each thread budget.", labels=["kind"])
    limits = GaugeMetricFamily("slipway_places", "All places of each thread budget.", labels=["kind"])
    for kind, slots in PLACES.items():
        in_use.add_metric([kind], slots.in_use)
        limits.add_metric([kind], slots.limit)
    yield in_use
    yield limits
    yield GaugeMetricFamily(
        "slipway_requests_waiting",
        "Requests beyond the share of their member, key, partner or address, which wait for their turn.",
        thread_budgets.requesters.waiting,
    )


def _database_pool() -> Iterator[GaugeMetricFamily]:
    options = current_app.config["SQLALCHEMY_ENGINE_OPTIONS"]
    pool = db.engine.pool
    yield GaugeMetricFamily(
        "slipway_database_connections_in_use",
        "Database connections that requests and jobs of this process hold.",
        pool.checkedout(),  # type: ignore[attr-defined]  # a QueuePool: every supported database is used with one
    )
    yield GaugeMetricFamily(
        "slipway_database_connections",
        "The maximum of database connections of this process.",
        options["pool_size"] + options["max_overflow"],
    )


def _job_queues() -> Iterator[GaugeMetricFamily]:
    counts = waiting_jobs()
    yield GaugeMetricFamily("slipway_queue_up", "Whether the job queue answers.", counts is not None)
    waiting = GaugeMetricFamily("slipway_queue_jobs", "Jobs that wait for a worker.", labels=["queue"])
    for queue, count in (counts or {}).items():
        waiting.add_metric([queue], count)
    yield waiting
