"""What this process counts, for Prometheus (docs/operating.md). `app/monitoring` adds the gauges and writes the text.

Each process counts for itself, from its start. Labels take a bounded number of values: routes by their rule and never
by their path, and no names of partners, games or servers.
"""

from __future__ import annotations

from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

UploadKind = Literal["raw", "resumable", "update", "image"]
UploadResult = Literal["stored", "unchanged", "refused"]
UPLOAD_KINDS: tuple[UploadKind, ...] = ("raw", "resumable", "update", "image")
UPLOAD_RESULTS: tuple[UploadResult, ...] = ("stored", "unchanged", "refused")

disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the number of series
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

REQUESTS = Counter("slipway_requests", "Answered requests.", ["method", "route", "status"], registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "slipway_request_seconds",
    "Time until the response begins. That of an upload through the app includes its body, that of a plan its wait.",
    ["method", "route"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
REFUSALS = Counter(
    "slipway_refusals", "Refused requests and archives, by the code of the refusal.", ["reason"], registry=REGISTRY
)
UPLOADS = Counter("slipway_uploads", "Archives and images that arrived.", ["kind", "result"], registry=REGISTRY)
UPLOAD_BYTES = Counter("slipway_upload_bytes", "Their bytes.", ["kind"], registry=REGISTRY)
STORAGE_ERRORS = Counter(
    "slipway_storage_errors",
    "Failed operations of storage, retried ones included.",
    ["operation", "kind"],
    registry=REGISTRY,
)
SWEEPS = Counter("slipway_sweeps", "Sweeps that ended.", ["result"], registry=REGISTRY)
SWEPT_AT = Gauge(
    "slipway_sweep_last_success_timestamp_seconds",
    "When this process last swept to the end; 0 if it never did.",
    registry=REGISTRY,
)
SWEEP_FREED_BYTES = Counter("slipway_sweep_freed_bytes", "Bytes that sweeps freed in storage.", registry=REGISTRY)
SWEEP_REMOVED = Counter("slipway_sweep_removed", "What sweeps removed.", ["what"], registry=REGISTRY)

# From the start with 0, so that Prometheus sees the first increase.
for _kind in UPLOAD_KINDS:
    UPLOAD_BYTES.labels(_kind)
    for _result in UPLOAD_RESULTS:
        UPLOADS.labels(_kind, _result)
for _result_of_sweep in ("done", "failed"):
    SWEEPS.labels(_result_of_sweep)
for _what in ("uploads", "packs", "objects", "games"):
    SWEEP_REMOVED.labels(_what)


def count_upload(kind: UploadKind, result: UploadResult, size: int) -> None:
    """Count an archive or image of `size` bytes that arrived and was stored or refused."""
    UPLOADS.labels(kind, result).inc()
    UPLOAD_BYTES.labels(kind).inc(size)


def count_refusal(code: str) -> None:
    """Count a refusal by its code (app/refusals.py), or an error of HTTP by that of the APIs."""
    REFUSALS.labels(code).inc()


def count_sweep(bytes_freed: int, **removed: int) -> None:
    """Count a sweep that ended now, with the bytes that it freed and how many of each kind it removed."""
    SWEEPS.labels("done").inc()
    SWEPT_AT.set_to_current_time()
    SWEEP_FREED_BYTES.inc(bytes_freed)
    for what, count in removed.items():
        SWEEP_REMOVED.labels(what).inc(count)
