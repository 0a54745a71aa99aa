"""The web server's address, and its health."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import psutil
import urllib3

from app.config.settings import Settings
from app.config.web_address import local_address

# The web server of a supervisor that was killed a moment ago may not have ended yet.
_LEFT_OVER_SECONDS = 3.0


class PortTaken(RuntimeError):
    """No process can listen at HOST and PORT. The text gives the reason and what to do."""


class Addresses:
    """`base_url` is for people and agents. `local_url` is for the supervisor: it never goes through a proxy."""

    def __init__(self, settings: Settings) -> None:
        self.host = settings.host.strip("[]")
        self.port = settings.port
        self.local_url = local_address(self.host, self.port)
        self.base_url = settings.base_url or self.local_url
        self._http = urllib3.PoolManager(retries=False, timeout=1.5, maxsize=1)

    def check_free(self, wait: Callable[[float], None]) -> None:
        """Return if the web server can listen. Raises PortTaken."""
        deadline = time.monotonic() + _LEFT_OVER_SECONDS
        while True:
            try:
                family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
                socket.create_server((self.host, self.port), family=family).close()
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise PortTaken(f"The web server cannot listen on {self.host}:{self.port}: {error}.") from None
                if time.monotonic() > deadline:
                    raise PortTaken(
                        f"Port {self.port} on {self.host} is in use{self._by_whom()}. Stop that program, or choose "
                        f"another port: make run PORT={self.port + 1}"
                    ) from None
            wait(0.1)

    def _by_whom(self) -> str:
        """The name of the process at the port, if we may see it: other users' processes are hidden from us."""
        try:
            for found in psutil.net_connections("tcp"):
                if found.status == psutil.CONN_LISTEN and found.laddr[1:2] == (self.port,) and found.pid:
                    return f" by process {found.pid} ({psutil.Process(found.pid).name()})"
        except psutil.Error:
            return ""
        return ""

    def healthy(self) -> bool:
        """Whether /healthz answers 200."""
        try:
            answer = self._http.request(
                "GET", f"{self.local_url}/healthz", headers={"Host": urlsplit(self.base_url).netloc}
            )
        except urllib3.exceptions.HTTPError:
            return False
        return answer.status == 200
