"""An S3-like store for presigned GETs: real bytes, one range at a time, and the faults that storage and lines have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from urllib.parse import parse_qs, urlsplit


@dataclass
class Served:
    """One answered GET of an object: where it began, and how many bytes of the body were written, of `length`."""

    status: int
    start: int
    path: str
    length: int
    sent: int = 0


@dataclass
class Faults:
    """`tear_after`: one entry a request, the bytes after which the connection is cut (None: not at all)."""

    tear_after: list[int | None] = field(default_factory=list)
    ignore_range: bool = False
    announce_size: int | None = None
    hold_after: int | None = None
    hold_paths: set[str] = field(default_factory=set)  # of objects whose last bytes wait
    statuses: list[int] = field(default_factory=list)


class StorageServer:
    """Objects by path. An address is good while its signature is in `signatures`, as a presigned URL is until it
    expires."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.signatures: set[str] = set()
        self.faults = Faults()
        self.served: list[Served] = []
        self.headers: list[dict[str, str]] = []  # of every request, names in lower case
        self.refused = 0
        self.holding = Event()
        self.go_on = Event()
        self.lock = Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def presign(self, path: str) -> str:
        """A fresh address for `path`."""
        with self.lock:
            signature = f"sig{len(self.signatures)}x{len(self.served)}"
            self.signatures.add(signature)
        return f"http://127.0.0.1:{self._http.server_address[1]}{path}?X-Amz-Signature={signature}"

    def expire_all(self) -> None:
        with self.lock:
            self.signatures.clear()

    @property
    def bytes_served(self) -> int:
        return sum(request.sent for request in self.served)

    def __enter__(self) -> StorageServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_on.set()
        self._http.shutdown()
        self._http.server_close()


def _handler(storage: StorageServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            storage.headers.append({name.lower(): value for name, value in self.headers.items()})
            address = urlsplit(self.path)
            signature = parse_qs(address.query).get("X-Amz-Signature", [""])[0]
            if signature not in storage.signatures:
                storage.refused += 1
                self._empty(403)
            elif storage.faults.statuses:
                self._empty(storage.faults.statuses.pop(0))
            elif address.path not in storage.objects:
                self._empty(404)
            else:
                self._serve(storage.objects[address.path])

        def _serve(self, content: bytes) -> None:
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            start, end = (int(asked[1]), min(int(asked[2]), len(content) - 1)) if asked else (0, len(content) - 1)
            if storage.faults.ignore_range or not asked:
                status, start, end = 200, 0, len(content) - 1
            elif start >= len(content):
                self._empty(416)
                return
            else:
                status = 206
            announced = storage.faults.announce_size or len(content)
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{end}/{announced}")
            self.send_header("Content-Length", str(end - start + 1))
            self.end_headers()
            path = urlsplit(self.path).path
            self._body(content[start : end + 1], Served(status, start, path, end + 1 - start))

        def _body(self, content: bytes, served: Served) -> None:
            storage.served.append(served)
            tear = storage.faults.tear_after.pop(0) if storage.faults.tear_after else None
            for begin in range(0, len(content), 65536):
                hold = storage.faults.hold_after
                if hold is not None and served.start + served.sent >= hold:
                    storage.holding.set()
                    storage.go_on.wait(30)
                piece = content[begin : begin + 65536]
                if served.path in storage.faults.hold_paths and begin + 65536 >= len(content):
                    storage.holding.set()
                    storage.go_on.wait(30)
                if tear is not None and served.sent + len(piece) > tear:
                    rest = piece[: tear - served.sent]
                    served.sent = tear
                    self.wfile.write(rest)
                    self.close_connection = True
                    return
                served.sent += len(piece)  # Before it is written: who has read it may ask at once how much that was.
                try:
                    self.wfile.write(piece)
                except OSError:  # The agent was killed or hung up.
                    served.sent -= len(piece)
                    self.close_connection = True
                    return

        def _empty(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Quiet: what was asked is in `served`."""

    return Handler
