"""`python -m bench.web.live_page_clients PORT PAGES SECONDS`: PAGES open live pages of 20 members, at low cost.

Prints `open` when every stream has begun, and at the end, as JSON, when each percentage was received on each page.
"""

from __future__ import annotations

import json
import re
import resource
import selectors
import socket
import sys
import time
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

from bench.harness.bench_server import EMAIL, PASSWORD

READERS = [f"reader-{number}@bench.example" for number in range(20)]
PERCENT = re.compile(rb">\s*(\d+)\s?(?:\xc2\xa0|&nbsp;|\xe2\x80\xaf)?\s?%")


def main() -> None:
    """Open the pages, receive events, print the times of each."""
    port, pages, seconds = (int(text) for text in sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_NOFILE, (pages + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    cookies = [signed_in(port, reader) for reader in READERS]
    selector = selectors.DefaultSelector()
    for number in range(pages):
        cookie = cookies[number % len(cookies)]
        stream = socket.create_connection(("127.0.0.1", port))
        stream.sendall(
            f"GET /games/live/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
            "Accept: text/event-stream\r\n\r\n".encode()
        )
        if b" 200 " not in stream.recv(4096):
            raise SystemExit("a stream was refused")
        stream.setblocking(False)
        selector.register(stream, selectors.EVENT_READ)
    print("open", flush=True)
    received: dict[str, list[float]] = {}
    ends = time.time() + seconds
    while time.time() < ends:
        for ready, _ in selector.select(0.5):
            data = ready.fileobj.recv(262_144)  # type: ignore[union-attr]  # what was registered are sockets
            at = time.time()
            if not data:
                selector.unregister(ready.fileobj)
            elif found := PERCENT.search(data):
                received.setdefault(found[1].decode(), []).append(at)
    print(json.dumps(received), flush=True)


def signed_in(port: int, email: str = EMAIL) -> str:
    """The `Cookie` header of a member, the owner unless another is named, signed in like a browser."""
    jar = CookieJar()
    browser = build_opener(HTTPCookieProcessor(jar))
    address = f"http://127.0.0.1:{port}/sign-in"
    page = browser.open(address).read().decode()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    if token is None:
        raise SystemExit("the sign-in page has no CSRF token")
    form = {"email": email, "password": PASSWORD, "csrf_token": token[1]}
    browser.open(address, urlencode(form).encode())
    return "; ".join(f"{found.name}={found.value}" for found in jar)


if __name__ == "__main__":
    main()
