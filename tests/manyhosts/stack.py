"""An installation on many hosts: two web processes, a worker, Postgres and Valkey, behind nginx that takes turns.

Each web process has an instance folder of its own, as on a host of its own. All share one database, Valkey, storage
and SECRET_KEY.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import urllib3
from sqlalchemy import URL

from app.accounts.keys import create_key
from app.accounts.partners import create_member
from app.config.settings import Settings
from app.data.extensions import db
from app.data.models.partner import Partner
from tests.app.runtime.processes import is_alive, tree, wait_until
from tests.app.uploads.raw.live import ROOT, STUDIO, Gunicorn, World, environment_of
from tests.conftest import PASSWORD
from tests.manyhosts.relay import Relay

NGINX = Path("/usr/sbin/nginx")
OWNER = "owner@starlight.example"
_CONFIGURATION = """
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
    upstream portal {{
        {servers}
        keepalive 8;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://portal;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_request_buffering off;
            proxy_buffering off;
            client_max_body_size 0;
        }}
    }}
}}
"""


class Stack:
    """All processes. `address` is nginx's; `webs` are the web servers behind it."""

    def __init__(self, world: World, port: int, database: Relay, folder: Path) -> None:
        self.world = world
        self.port = port
        self.database = database
        self.folder = folder
        self.environment = shared_environment(world.settings)
        self.webs = [self._web(name) for name in ("web-1", "web-2")]
        self.worker_process: subprocess.Popen[bytes] | None = None
        self._nginx: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _web(self, name: str) -> Gunicorn:
        instance = self.folder / name
        instance.mkdir()
        log = self.folder / f"{name}.log"
        environment = self.environment | {"SLIPWAY_INSTANCE": str(instance), "SLIPWAY_WORK_IN_WEB": "off"}
        return Gunicorn(self.world.settings, log, **environment)

    def start(self) -> None:
        for web in self.webs:
            web.start()
        self.start_worker()
        worker_log = self.folder / "worker.log"
        wait_until(
            lambda: "the worker is ready" in worker_log.read_text(), 60, f"the worker is ready; see {worker_log}"
        )
        configuration = self.folder / "nginx.conf"
        servers = "\n        ".join(f"server 127.0.0.1:{web.port};" for web in self.webs)
        configuration.write_text(_CONFIGURATION.format(folder=self.folder, servers=servers, port=self.port))
        self._nginx = subprocess.Popen([NGINX, "-p", self.folder, "-e", "stderr", "-c", configuration])
        wait_until(lambda: self.get("/readyz").status == 200, 60, f"nginx answers; its logs are in {self.folder}")

    def start_worker(self, **more: str) -> None:
        """A `flask worker` on a third host."""
        instance = self.folder / "worker"
        instance.mkdir(exist_ok=True)
        environment = (
            environment_of(self.world.settings) | self.environment | {"SLIPWAY_INSTANCE": str(instance)} | more
        )
        with (self.folder / "worker.log").open("ab") as log:
            self.worker_process = subprocess.Popen(
                [sys.executable, "-m", "flask", "--app", "wsgi", "worker"],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=log,
                stderr=log,
            )

    def kill_worker(self) -> None:
        if self.worker_process is not None:
            self.worker_process.kill()
            self.worker_process.wait()

    def get(self, path: str, key: str | None = None, address: str | None = None) -> urllib3.BaseHTTPResponse:
        """One GET over a connection of its own, so that nginx takes the next web process. Status 0: no connection."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            return urllib3.request(
                "GET", f"{address or self.address}{path}", headers=headers, retries=False, timeout=60
            )
        except urllib3.exceptions.HTTPError:
            return urllib3.HTTPResponse(status=0)

    def from_each(self, path: str, key: str | None = None) -> list[int]:
        """The statuses that the web processes answer, asked directly."""
        return [self.get(path, key, web.address).status for web in self.webs]

    def new_key(self) -> str:
        with self.world.app.app_context():
            partner = db.session.get_one(Partner, self.world.partner_id)
            return create_key(partner, "Key of a test", ["read", "write", "upload"], STUDIO)[1]

    def add_owner(self) -> None:
        with self.world.app.app_context():
            partner = db.session.get_one(Partner, self.world.partner_id)
            create_member(partner, OWNER, "Owner", "owner", PASSWORD, STUDIO)

    def close(self) -> None:
        self.kill_worker()
        for web in self.webs:
            for pid in (*tree(master_of(web)), *(tree(web.process.pid) if web.process else ())):
                if is_alive(pid):
                    os.kill(pid, 9)
        if self._nginx is not None:
            self._nginx.terminate()
            self._nginx.wait()


def master_of(web: Gunicorn) -> int:
    """The pid of the master that serves now."""
    return int((web.instance / f"web-{web.port}.pid").read_text())


def shared_environment(settings: Settings) -> dict[str, str]:
    """Beside `environment_of`."""
    return {
        "REDIS_URL": settings.redis_url or "",
        "SLIPWAY_BASE_URL": settings.base_url or "",
        "TRUSTED_PROXIES": "1",
        "SLIPWAY_LIST_RATE": settings.list_rate,
    }


def relayed(url: URL, relay: Relay) -> URL:
    """The address of a database behind the relay."""
    return url.set(host="127.0.0.1", port=relay.port, query={})
