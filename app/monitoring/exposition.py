"""The text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from app.monitoring.database_gauges import database_gauges
from app.monitoring.process_gauges import process_gauges
from app.process.metrics import REGISTRY

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class _Gauges(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from process_gauges()
        yield from database_gauges()


def exposition() -> bytes:
    """All metrics of this process, with the gauges as of now. Needs an app context, in which no database connection is
    held: it takes up to some seconds if the database does not answer."""
    return generate_latest(REGISTRY) + generate_latest(_Gauges())
