"""The web server's configuration: `gunicorn -c python:app.runtime.web_server.gunicorn_settings wsgi:app`.

One process with many threads: each live page, waiting poll and raw upload uses a thread while it lasts, and a budget
for each kind (app/limits/thread_budgets.py) keeps some free for all other requests. gunicorn reads every name here that
is one of its settings.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import math
import os
import queue
import re
import resource
import signal
import sys
import threading
from types import FrameType
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from app.accounts.api_keys.key_uses import key_uses
from app.config.settings import SettingsError, load_settings
from app.config.web_address import record_web_address
from app.data.schema_version import migration_missing
from app.limits import thread_budgets
from app.process import shutdown
from app.process.logs import public_path
from app.runtime.jobs import jobs
from app.runtime.metrics_listener import listen_for_scrapes
from app.runtime.web_server import readiness
from app.runtime.web_server.access_log import AccessLogger
from app.runtime.web_server.connection_worker import ConnectionWorker
from app.runtime.web_server.connections import ConnectionLimits
from app.runtime.web_server.known_callers import KnownCallers
from app.runtime.web_server.program_replacement import ProgramReplacement, announce_worker
from app.storage import direct_uploads


def _web_processes() -> int:
    text = os.environ.get("SLIPWAY_WORKERS", "").strip() or "1"
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"SLIPWAY_WORKERS={text!r} must be a whole number of at least 1.")
    return int(text)


try:
    _settings = load_settings()
    workers = _web_processes()
except SettingsError as error:
    raise SystemExit(f"Slipway did not start: {error}") from None

PORTAL = "wsgi:app"
bind = f"{_settings.host}:{_settings.port}"
ConnectionWorker.limits = ConnectionLimits(
    head=_settings.header_timeout, window=_settings.body_timeout, rate=_settings.min_bytes_per_second
)
worker_class = ConnectionWorker
threads = (
    _settings.streams + _settings.waiting_polls + _settings.raw_uploads + _settings.calls + thread_budgets.OTHER_THREADS
)
thread_budgets.set_calls(_settings.calls)
ConnectionWorker.callers = KnownCallers(_settings.cookie_name, _settings.trusted_proxies)
# More than the threads: the others wait for a request or for their client, and need no thread.
worker_connections = threads + _settings.connections
# app.process.shutdown cuts uploads; their requests then have two more seconds to remove what they stored and to answer.
graceful_timeout = math.ceil(_settings.drain_seconds) + 2
timeout = 60
proc_name = "slipway"
# Two gunicorns of one user would use the same socket.
control_socket_disable = True
# Only TRUSTED_PROXIES decides whose X-Forwarded-* headers count; gunicorn would trust everything on loopback.
forwarded_allow_ips = ""

accesslog = "-"
logger_class = AccessLogger


# What it quotes of such a request can be a link, a header or, where a length was wrong, a form with a password.
_REFUSED = re.compile(r"(Invalid request from ip=[^'\"]*)['\"].*", re.DOTALL)


class WithoutSecrets(logging.Filter):
    """Removes secrets from addresses, in the access log and in gunicorn's own messages ("Error handling request GET
    /a?b"), and from its messages about requests that it could not read."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str):
            record.msg = _REFUSED.sub(r"\1…", record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(
                public_path(argument) if isinstance(argument, str) and argument.startswith("/") else argument
                for argument in record.args
            )
        elif isinstance(record.args, dict) and isinstance(record.args.get("U"), str):
            record.args["U"] = public_path(record.args["U"])
        return True


# One JSON line per event, like the rest of the app (app/process/logs.py).
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": []},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
            "formatter": "json",
            "filters": ["without-secrets"],
        }
    },
    "filters": {"without-secrets": {"()": WithoutSecrets}},
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": "%(levelname)s %(name)s %(message)s",
            "timestamp": True,
        }
    },
}


def on_starting(server: Arbiter) -> None:
    """In the master, before anything listens: refuse settings that cannot work."""
    readiness.hold_back()
    if server.cfg.workers > 1 and not _settings.redis_url:
        raise SystemExit(
            f"Slipway did not start: {server.cfg.workers} web processes were asked for, and rate limits and live "
            "events of one process are unknown to the others without Redis. Set REDIS_URL, or set SLIPWAY_WORKERS "
            "(--workers) to 1: one process serves a thousand live pages."
        )
    if server.cfg.is_ssl:
        raise SystemExit(
            "Slipway did not start: gunicorn was given a certificate, and the app speaks plain HTTP only. Leave out "
            "--certfile and --keyfile, and put a proxy that speaks TLS in front (docs/self-hosting.md)."
        )
    # Another application than the portal (a test's) has no use for its storage and tables.
    if server.app.app_uri == PORTAL:
        _check_portal()
    _raise_open_files(needed=worker_connections + 512)


def _check_portal() -> None:
    """Refuse to serve without a bucket or with tables of another version. Both are read at the start only."""
    if missing := migration_missing(_settings.database_url):
        raise SystemExit(f"Slipway did not start: {missing}")
    try:
        _ = _settings.storage_settings
    except SettingsError as error:
        raise SystemExit(f"Slipway did not start: {error}") from None


def _raise_open_files(needed: int) -> None:
    """A connection needs a file; the rest are for the database, storage and files that are written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft != resource.RLIM_INFINITY and soft < needed:
        logging.getLogger("gunicorn.error").warning(
            "only %s files may be open, and %s live pages and %s waiting connections may need %s; raise the limit "
            "(ulimit -Hn) or lower SLIPWAY_STREAMS or SLIPWAY_CONNECTIONS",
            soft,
            _settings.streams,
            _settings.connections,
            needed,
        )


# In the master: the received signals to stop. Appending to a list needs no lock, which a handler must not take.
_stops_asked: list[int] = []
_replacements: list[ProgramReplacement] = []  # one, once the master listens


def when_ready(server: Arbiter) -> None:
    """In the master: the first signal drains and the second ends at once, both for SIGTERM and for Ctrl-C. SIGHUP
    replaces the program.

    gunicorn's own SIGINT is abrupt the first time, and its second SIGTERM is ignored.
    """

    def stop(signal_number: int, frame: FrameType | None) -> None:
        server.signal(signal.SIGQUIT if _stops_asked else signal.SIGTERM, frame)
        _stops_asked.append(signal_number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _record_address(server)
    readiness.notify_once_served()
    _replacements.append(ProgramReplacement(server, _settings.instance / f"web-{_settings.port}.pid"))
    if not _settings.redis_url:
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)  # it would add a worker; see on_starting


def _record_address(server: Arbiter) -> None:
    """For commands that print links. It may differ from the settings: `gunicorn --bind` counts more."""
    found = server.LISTENERS[0].getsockname()
    if isinstance(found, tuple):  # not the path of a Unix socket
        record_web_address(_settings.instance, str(found[0]), int(found[1]))


def on_exit(server: Arbiter) -> None:
    """In the master, at its very end. Python's own clean-up would take more than half a second of the ten that `make
    run` has for stopping."""
    for replacement in _replacements:
        replacement.remove_pid_file()
    if _stops_asked:
        os._exit(0)


def worker_exit(server: Arbiter, worker: Worker) -> None:
    """In a worker, at its very end (the master also runs it when a worker has gone already)."""
    if worker.pid == os.getpid() and worker.booted and not worker.alive:
        os._exit(0)


def post_fork(server: Arbiter, worker: Worker) -> None:
    """In the worker, before the app is made."""
    shutdown.die_with_parent(worker.ppid)
    # A thousand stacks of the default 8 MiB would be 8 GiB of address space, more than some containers allow. Deep
    # recursion through C (sorted, repr) crashed at 1 MiB before Python's own limit, and not at 2 MiB.
    threading.stack_size(2 * 1024**2)
    _limit_malloc_arenas(2)


def _limit_malloc_arenas(count: int) -> None:
    """Keep glibc from creating arenas per thread, which keep freed memory (mallopt(3), M_ARENA_MAX)."""
    m_arena_max = -8
    libc = ctypes.CDLL(None)
    if sys.platform == "linux" and hasattr(libc, "mallopt"):  # musl has no mallopt
        libc.mallopt(m_arena_max, count)


def post_worker_init(worker: Worker) -> None:
    """In the worker, after the app was made: start background work and set signal handlers."""
    app: Any = worker.wsgi
    # Loaded modules stay: looking through them for cycles would stop every thread for a fifth of a second each time.
    gc.collect()
    gc.freeze()
    if _settings.storage is not None:
        app.extensions["slipway_direct_uploads"].find_out(direct_uploads.START_SECONDS)
    if _settings.metrics_listen is not None:
        listen_for_scrapes(app, _settings.metrics_listen, _settings.metrics_token)
    if _settings.work_in_web:
        jobs(app).start_workers()
        shutdown.when_stopping(jobs(app).stop_workers)

    def write_key_uses() -> None:
        with app.app_context():
            key_uses().write()

    shutdown.when_stopping(write_key_uses)

    # A handler may interrupt a thread that holds the very lock it needs. A SimpleQueue is safe there.
    asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def begin_when_asked() -> None:
        asked.get()
        shutdown.begin(_settings.drain_seconds)

    threading.Thread(target=begin_when_asked, name="shutdown", daemon=True).start()

    def drain(signal_number: int, frame: FrameType | None) -> None:
        asked.put(None)
        worker.handle_exit(signal_number, frame)

    def end_now(signal_number: int, frame: FrameType | None) -> None:
        # sys.exit would wait for every thread of the pool. Interrupted work is repeatable by design.
        os._exit(0)

    signal.signal(signal.SIGTERM, drain)
    signal.siginterrupt(signal.SIGTERM, False)
    signal.signal(signal.SIGQUIT, end_now)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to the whole group, but the master decides
    announce_worker(worker.cfg.workers)
    readiness.announce()
