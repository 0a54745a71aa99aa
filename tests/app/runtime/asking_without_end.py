"""`python -m tests.app.runtime.asking_without_end PORT PATH CONNECTIONS COOKIE`: a client that asks for one page over
many connections, again and again, until it is ended. Prints `begun` after the first answer."""

from __future__ import annotations

import selectors
import socket
import sys


def main() -> None:
    port, path, connections, cookie = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    request = f"GET {path} HTTP/1.1\r\nHost: here\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode()
    selector = selectors.DefaultSelector()

    def ask() -> None:
        client = socket.create_connection(("127.0.0.1", port), timeout=60)
        client.sendall(request)
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ)

    for _ in range(connections):
        ask()
    has_begun = False
    while True:
        for key, _ in selector.select():
            client = key.fileobj
            assert isinstance(client, socket.socket)
            try:
                if client.recv(1024**2):
                    continue
            except OSError:
                pass  # the server closed: ask anew
            selector.unregister(client)
            client.close()
            if not has_begun:
                sys.stdout.write("begun\n")
                sys.stdout.flush()
                has_begun = True
            ask()


if __name__ == "__main__":
    main()
