"""The running agent: builds its parts, runs its threads, stops them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread
from types import FrameType
from urllib.parse import urlsplit

from slipway.agent import VERSION, logs
from slipway.agent.boot_ids import BootIds
from slipway.agent.cache.archive_install import ArchiveInstall
from slipway.agent.cache.bandwidth import Bandwidth
from slipway.agent.cache.build_fetch import BuildFetch
from slipway.agent.cache.build_placing import BuildPlacing
from slipway.agent.cache.build_store import Inventory
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.cache_reconciler import CacheReconciler
from slipway.agent.cache.disk_space import DiskSpace
from slipway.agent.cache.evictions import Evictions
from slipway.agent.cache.failed_builds import FailedBuilds
from slipway.agent.cache.fetch_threads import FetchThreads
from slipway.agent.cache.locks import lock_until_exit
from slipway.agent.crash_points import fault_point
from slipway.agent.exit_codes import ExitCode
from slipway.agent.packs.index_prefetch import IndexPrefetch
from slipway.agent.packs.pack_install import PackInstall
from slipway.agent.packs.storage_client import StorageClient
from slipway.agent.packs.update_sources import UpdateSources
from slipway.agent.plan_poller import PlanPoller
from slipway.agent.platform_client import (
    PlatformClient,
    PlatformRefused,
    PlatformUnreachable,
    make_platform_pool,
)
from slipway.agent.reporter import Reporter
from slipway.agent.sessions.connection_file import Connection, write_connection
from slipway.agent.sessions.session_files import SessionFiles
from slipway.agent.sessions.session_watch import SessionWatch
from slipway.agent.settings import Settings
from slipway.agent.storage_addresses import StorageAddresses
from slipway.agent.thread_supervisor import ThreadSupervisor
from slipway.agent.verification.repair_folders import drop_abandoned_repairs
from slipway.client.storage_connections import StorageConnections

# The agent stops within two seconds. The last report must fit into that time.
_LAST_REPORT_SECONDS = 1.2
# Plan, reports and sessions.
_PLATFORM_CONNECTIONS = 4


class Agent:
    """Raises CacheInUse if another agent uses the same cache directory."""

    def __init__(self, settings: Settings) -> None:
        self.layout = CacheLayout(settings.cache)
        self.layout.create()
        self._lock = lock_until_exit(self.layout.agent_lock)
        self.stopping = Event()
        self._wake, self._prefetch_wake = Event(), Event()
        self._first_plan_applied = Event()
        self._settings = settings
        client = PlatformClient(
            make_platform_pool(_PLATFORM_CONNECTIONS, settings.ca_file), settings.url, settings.token
        )
        self.inventory = Inventory(self.layout)
        self.sessions = SessionFiles(self.layout)
        self._space = DiskSpace(settings.cache, settings.disk_floor)
        self.plan_poller = PlanPoller(client, settings.platform_backoff, self.stopping, on_plan=self._plan_changed)
        self.reporter = self._make_reporter(client)
        connections, bandwidth = StorageConnections(settings.ca_file), Bandwidth(settings.bandwidth)
        storage = StorageClient(connections, self._storage_addresses, bandwidth)
        sources = UpdateSources(self.layout, self.inventory, storage)
        fetch = self._make_fetch(connections, bandwidth, storage, sources)
        self.workers = FetchThreads(fetch.run, settings.downloads, on_done=self._wake.set)
        self.reconciler = self._make_reconciler()
        self.watch = SessionWatch(
            self.sessions, client, settings.pace.sessions, self.stopping, on_change=self._sessions_changed
        )
        prefetch = IndexPrefetch(
            self.layout, self.inventory, sources, self.plan_poller, self._prefetch_wake, self.stopping
        )
        runs = {
            "reconciler": self.reconciler.run,
            "plan-poller": self.plan_poller.run,
            "reporter": self.reporter.run,
            "session-watch": self.watch.run,
            "index-prefetch": prefetch.run,
        }
        self.supervisor = ThreadSupervisor(runs, self.stopping, self.reporter.report_now, settings.thread_backoff)

    def _make_reporter(self, client: PlatformClient) -> Reporter:
        return Reporter(
            client,
            BootIds(self.layout),
            self._settings.cache,
            self.sessions,
            self._space,
            self.plan_poller,
            self._settings.platform_backoff,
            self._settings.pace,
            self._first_plan_applied,
            self.stopping,
            failing=lambda: (*self.supervisor.failing, *self.reconciler.failing),
        )

    def _make_fetch(
        self,
        connections: StorageConnections,
        bandwidth: Bandwidth,
        storage: StorageClient,
        sources: UpdateSources,
    ) -> BuildFetch:
        statuses = self.reporter.statuses
        return BuildFetch(
            self.layout,
            self.inventory,
            ArchiveInstall(
                self.layout,
                self.inventory,
                connections,
                self._storage_addresses,
                bandwidth,
                self._space,
                statuses,
            ),
            PackInstall(self.layout, sources, storage, self._space, statuses),
            BuildPlacing(self.layout, self.inventory, self.sessions),
            self._space,
        )

    def _make_reconciler(self) -> CacheReconciler:
        statuses, failed_builds = self.reporter.statuses, FailedBuilds(self._settings.build_backoff)
        return CacheReconciler(
            self.layout,
            self.inventory,
            self.sessions,
            self.plan_poller,
            self.workers,
            statuses,
            failed_builds,
            Evictions(self.layout, self.inventory, self.sessions, statuses, failed_builds, self._space),
            self._settings.pace,
            self._wake,
            self._first_plan_applied,
            self.stopping,
        )

    @property
    def _storage_addresses(self) -> StorageAddresses:
        return StorageAddresses(self._settings.url, self._settings.storage_hosts)

    def start(self) -> None:
        for repaired in self.inventory.repair():
            logs.info("repaired after a crash", what=repaired)
        drop_abandoned_repairs(self.layout)
        for key in self.inventory.make_read_only():
            logs.info("made a build of an older agent read-only", game=key.game_id, build=key.build)
        self._write_connection()
        self.reconciler.step()  # So that the first report lists the cached builds even without a plan.
        self.supervisor.start()

    def stop(self) -> None:
        """Ask every thread to end, and send a last report if that is quick. It waits for no other thread: each step
        can be interrupted anywhere, as by a crash."""
        self.stopping.set()
        self.workers.cancel_all()
        self.plan_poller.stop()
        self.reporter.report_now()
        self._plan_changed()
        self._first_plan_applied.set()
        last = Thread(target=self._last_report, name="last-report", daemon=True)
        last.start()
        last.join(_LAST_REPORT_SECONDS)

    def _last_report(self) -> None:
        fault_point("last-report")
        try:
            self.reporter.send(stopping=True, read_seconds=1.0)
        except (PlatformUnreachable, PlatformRefused, OSError) as error:
            logs.info("the last report was not delivered", reason=error)

    def _write_connection(self) -> None:
        """Write the connection file for launch scripts and `verify`."""
        settings = self._settings
        ca_file = settings.ca_file.absolute() if settings.ca_file else None
        hosts = ",".join(str(host) for host in settings.storage_hosts)
        write_connection(
            self.layout,
            Connection(settings.url, settings.token, ca_file, hosts, settings.bandwidth, settings.disk_floor),
        )

    def _plan_changed(self) -> None:
        self._wake.set()
        self._prefetch_wake.set()

    def _sessions_changed(self) -> None:
        self._wake.set()
        self.reporter.report_now()


def run(settings: Settings) -> ExitCode:
    """Run until SIGTERM or SIGINT, or until a thread has failed too often (THREAD_KEEPS_ENDING). A second signal
    ends the process at once."""
    agent = Agent(settings)
    # A handler may interrupt another handler or a wait at any point, and the interrupted thread may hold the lock of an
    # Event. Appending to a list needs no lock, and put() of a SimpleQueue is safe in a handler.
    signals: list[int] = []
    stop_requests: SimpleQueue[int] = SimpleQueue()

    def on_signal(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        if len(signals) > 1:
            os._exit(128 + number)
        stop_requests.put(number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    logs.info("agent starts", version=VERSION, platform=settings.url, cache=settings.cache, pid=os.getpid())
    if settings.url.startswith("http://") and not _is_loopback(settings.url):
        logs.warning("the token is sent unencrypted: use https outside a trusted network")
    agent.start()
    while (
        not signals
    ):  # a signal that the kernel delivers to another thread ends no wait, but its handler still runs here
        with suppress(Empty):
            stop_requests.get(timeout=settings.pace.threads)
        agent.supervisor.check_threads()
        if agent.supervisor.exhausted_thread:
            break
    failed = agent.supervisor.exhausted_thread
    if failed:
        logs.warning("the agent exits because a thread keeps failing; start it again", thread=failed)
    logs.info("agent stops; partial downloads are kept")
    agent.stop()
    logs.info("agent stopped")
    return ExitCode.THREAD_KEEPS_ENDING if failed else ExitCode.OK


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}
