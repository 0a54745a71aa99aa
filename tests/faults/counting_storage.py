"""An HTTP proxy in front of storage that counts the bytes of the objects it sends."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3


class CountingStorage:
    """Forwards GETs to `endpoint` with the host of their signature. `sent`: bytes of bodies since `reset()`."""

    def __init__(self, endpoint: str) -> None:
        self._lock = threading.Lock()
        self.sent = 0
        pool = urllib3.PoolManager(retries=False, timeout=60)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                kept = {name: value for name, value in self.headers.items() if name.lower() in {"host", "range"}}
                answer = pool.request("GET", f"{endpoint}{self.path}", headers=kept, redirect=False)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in {"connection", "transfer-encoding", "content-length", "date", "server"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.data)))
                self.end_headers()
                self.wfile.write(answer.data)
                with outer._lock:
                    outer.sent += len(answer.data)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        with self._lock:
            self.sent = 0

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
