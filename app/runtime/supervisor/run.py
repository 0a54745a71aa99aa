"""One run of `make run`, from an empty folder to the end of its last process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from app.config.private_files import keep_new_files_private, write_private
from app.config.settings import Settings, SettingsError, load_settings
from app.process.shutdown import die_with_parent
from app.runtime.supervisor.child import Child, spawn
from app.runtime.supervisor.child_logs import last_lines
from app.runtime.supervisor.instance_folder import Instance, InstanceTaken
from app.runtime.supervisor.signals import Signals
from app.runtime.supervisor.web_address import Addresses, PortTaken
from app.runtime.web_server.program_replacement import SUPERVISED
from app.storage.cors import page_origins
from app.storage.embedded_server import EmbeddedStorage, EmbeddedStorageError, StorageAccess

START_SECONDS = 120.0
AGENT_FAREWELL_SECONDS = 0.5
# After the drain: time for cut requests to end, for gunicorn to notice, and for storage to close its files.
UNWIND_SECONDS = 2.5
_SECRETS = ("S3_", "SECRET_KEY", "DATABASE_URL", "REDIS_URL")


class CannotStart(RuntimeError):
    """A requirement of `make run` is missing. The text says what to do."""


class Stopped(Exception):
    """A request to stop came during a wait."""


def say(text: str) -> None:
    """Print a line for the person who ran `make run`. A closed terminal must not end the children."""
    with suppress(OSError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


class Supervisor:
    """All processes of one instance. `run` returns the exit code."""

    def __init__(self, settings: Settings, environment: dict[str, str], instance: Instance, signals: Signals) -> None:
        self.settings = settings
        self.instance = instance
        self.signals = signals
        self.addresses = Addresses(settings)
        self.environment = environment
        self.storage: Child | None = None
        self.web: Child | None = None
        self.agents: list[Child] = []
        self._began = time.monotonic()
        self._logs_seen_at = 0.0

    @property
    def children(self) -> list[Child]:
        return [child for child in (*self.agents, self.web, self.storage) if child is not None]

    def run(self) -> int:
        try:
            try:
                self._start()
                while True:
                    self._wait(0.5)
                    self._watch()
            except Stopped:
                return self._stop()
        finally:
            for child in self.children:
                child.kill()

    def _start(self) -> None:
        self.addresses.check_free(self._wait)
        if not self.environment.get("S3_ENDPOINT", "").strip():
            self._start_storage()
        self._prepare()
        self._start_web()
        demo = json.loads(self.instance.demo_file.read_text())
        self._start_agents(demo["servers"])
        self._greet(demo)

    def _wait(self, seconds: float) -> None:
        """Wait. Raises Stopped on a request to stop."""
        self.signals.wait(seconds)
        if self.signals.stop_requests:
            raise Stopped

    def _ready(self, what: str, where: str) -> None:
        say(f"  {what:<9} {where:<45} ready after {time.monotonic() - self._began:4.1f} s")

    def _start_storage(self) -> None:
        port = os.environ.get("SLIPWAY_STORAGE_PORT")
        if port and not port.isdecimal():
            raise CannotStart(f"SLIPWAY_STORAGE_PORT={port!r} must be a port number.")
        access: StorageAccess | None = None

        def start() -> subprocess.Popen[bytes]:
            nonlocal access
            # The web server signed addresses for one storage port, so after a restart the port must be the same.
            known = int(access.endpoint.rpartition(":")[2]) if access else int(port) if port else None
            storage = EmbeddedStorage(
                self.instance.storage,
                port=known,
                log=self._log("storage"),
                pass_fds=(self.instance.lock_fd,),
                wait=self._wait,
                origins=page_origins(self.settings),
            )
            access = storage.start()
            assert storage.process is not None
            return storage.process

        self.storage = Child("storage", start, self._log("storage"))
        self.storage.start()
        assert access is not None
        self.environment |= {
            "S3_ENDPOINT": access.endpoint,
            "S3_ACCESS_KEY": access.access_key,
            "S3_SECRET_KEY": access.secret_key,
            "S3_UPLOAD_ACCESS_KEY": access.upload_access_key,
            "S3_UPLOAD_SECRET_KEY": access.upload_secret_key,
            "S3_BUCKET": access.bucket,
            "S3_REGION": access.region,
        }
        self._ready("storage", access.endpoint)

    def _log(self, name: str) -> Path:
        return self.instance.logs / f"{name}.log"

    def _spawn(self, name: str, *arguments: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *arguments]
        return spawn(command, environment, self._log(name), (self.instance.lock_fd,))

    def _prepare(self) -> None:
        arguments = ("flask", "--app", "wsgi", "prepare-demo", self.addresses.base_url)
        child = Child(
            "prepare", partial(self._spawn, "prepare", *arguments, environment=self.environment), self._log("prepare")
        )
        child.start()
        try:
            while child.running:
                self._wait(0.5)
        finally:
            child.kill()
        assert child.process is not None
        if child.process.returncode != 0:
            raise CannotStart(f"Preparing the database and demo data failed:\n{last_lines(child.log)}")
        self._ready("database", "migrated, demo data ready")

    def _start_web(self) -> None:
        arguments = ("gunicorn", "-c", "python:app.runtime.web_server.gunicorn_settings", "wsgi:app")
        self.web = Child("web", partial(self._spawn, "web", *arguments, environment=self.environment), self._log("web"))
        self.web.start()
        deadline = time.monotonic() + START_SECONDS
        while not self.addresses.healthy():
            if not self.web.running:
                raise CannotStart(f"The web server did not start:\n{last_lines(self.web.log)}")
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"The web server did not report health within {START_SECONDS:.0f} s:\n{last_lines(self.web.log)}"
                )
            self._wait(0.1)
        self._ready("web", self.addresses.base_url)

    def _start_agents(self, servers: Iterable[dict[str, Any]]) -> None:
        # An agent runs beside games, so it does not get the platform's own secrets.
        environment = {name: value for name, value in self.environment.items() if not name.startswith(_SECRETS)}
        for server in servers:
            name = server["id"]
            token_file = self.instance.servers / f"{name}.token"
            write_private(token_file, server["token"])
            where = ("--url", self.addresses.base_url, "--cache", server["cacheDir"], "--token-file", str(token_file))
            start = partial(self._spawn, name, "slipway.agent", "run", *where, environment=environment)
            agent = Child(name, start, self._log(name))
            self.agents.append(agent)
            agent.start()
        self._ready("agents", ", ".join(agent.name for agent in self.agents))

    def _greet(self, demo: dict[str, Any]) -> None:
        say(
            f"\nSlipway is running: {demo['baseUrl']}\n"
            f"  Sign in as {demo['email']} with {demo['password']}\n"
            f"  or as the operator {demo['operatorEmail']} with {demo['operatorPassword']}\n"
            f"  API key and server tokens: {self.instance.demo_file}\n"
            f"  Logs: {self.instance.logs}\n"
            "Ctrl-C stops everything.\n"
        )

    def _watch(self) -> None:
        for child in self.children:
            if happened := child.watch():
                say(f"  {happened}")
            for line in child.tail.news():
                say(f"  {child.name} | {line}")
        if time.monotonic() - self._logs_seen_at > 60:
            self._logs_seen_at = time.monotonic()
            for child in self.children:
                child.tail.keep_small()

    def _stop(self) -> int:
        """0 if all processes ended on their own, 130 if some were killed."""
        say("\nStopping; uploads under way get a few seconds. Ctrl-C again stops at once.")
        began = time.monotonic()
        force_at = began + self.settings.drain_seconds + UNWIND_SECONDS
        for agent in self.agents:
            agent.terminate()
        self._until_ended(self.agents, began + AGENT_FAREWELL_SECONDS)  # they send a last report to the web server
        if self.web is not None:
            self.web.terminate()
        first = [child for child in self.children if child is not self.storage]
        graceful = self._until_ended(first, force_at)
        if graceful and self.storage is not None:
            self.storage.terminate()
            graceful = self._until_ended([self.storage], force_at)
        still_there = [child.name for child in self.children if child.running]
        for child in self.children:
            child.kill()
        say(
            f"Stopped after {time.monotonic() - began:.1f} s"
            + (f"; ended by force: {', '.join(still_there)}." if still_there else ".")
        )
        return 0 if graceful else 130

    def _until_ended(self, children: list[Child], deadline: float) -> bool:
        """Wait for them. False at the deadline or after a second request to stop."""
        while any(child.running for child in children):
            left = deadline - time.monotonic()
            if left <= 0 or self.signals.stop_requests > 1:
                return False
            self.signals.wait(min(left, 0.5))
        return self.signals.stop_requests <= 1


def main() -> int:
    """The exit code: 0 stopped on request, 130 by force, 1 could not start (the reason was printed)."""
    with suppress(psutil.Error):
        parent = psutil.Process(os.getppid())
        if parent.name() in {"make", "gmake"}:
            # If make is killed, this process must end too.
            die_with_parent(parent.pid, signal.SIGTERM)
    keep_new_files_private()  # also for all children
    signals = Signals()
    environment = dict(os.environ)
    environment[SUPERVISED] = "1"
    environment["SLIPWAY_DRAIN_SECONDS"] = environment.get("SLIPWAY_DRAIN_SECONDS") or "7"
    try:
        settings = load_settings(environment)
        environment["SLIPWAY_INSTANCE"] = str(settings.instance)
        say(f"Slipway starts in {settings.instance}")
        with closing(Instance(settings.instance)) as instance:
            return Supervisor(settings, environment, instance, signals).run()
    except (SettingsError, InstanceTaken, PortTaken, CannotStart, EmbeddedStorageError) as error:
        say(f"\nmake run cannot continue. {error}")
        return 1
