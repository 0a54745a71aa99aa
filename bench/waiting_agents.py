"""Agents that wait for a new plan: one connection each, without the work of a real agent."""

from __future__ import annotations

import json
import re
import resource
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

WAIT = 25  # seconds that a poll may wait
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)


@dataclass
class WaitingAgent:
    """`version`: of the last plan. `answered_at`: when the last poll was answered, by the monotonic clock."""

    token: str
    connection: socket.socket
    version: int = 0
    answered_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def poll(self, wait: int) -> None:
        """Ask for a plan; with `wait`, only for one after `version`."""
        query = f"?since={self.version}&wait={wait}" if wait else ""
        head = (
            f"GET /api/servers/self/plan{query} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.token}\r\n\r\n"
        )
        self.received.clear()
        self.connection.sendall(head.encode())

    def receive(self) -> bool:
        """Read what has come. Whether the answer is complete."""
        data = self.connection.recv(1 << 16)
        if not data:
            raise SystemExit("the server closed a poll's connection")
        self.received += data
        head, separator, body = self.received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not separator or length is None or len(body) < int(length[1]):
            return False
        plan = json.loads(body)
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(f"a poll was refused: {bytes(head)!r} {plan}")
        if plan["pollAfterSeconds"]:
            raise SystemExit("a poll found no place to wait")
        self.version, self.answered_at = plan["version"], time.monotonic()
        return True


class WaitingFleet:
    """All agents, in one thread."""

    def __init__(self, port: int, tokens: Sequence[str]) -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(tokens) + 200, hard))
        self._selector = selectors.DefaultSelector()
        self.agents = []
        for token in tokens:
            agent = WaitingAgent(token, socket.create_connection(("127.0.0.1", port)))
            agent.connection.setblocking(False)
            self._selector.register(agent.connection, selectors.EVENT_READ, agent)
            self.agents.append(agent)

    def poll(self, wait: int = 0) -> None:
        """Let all agents poll."""
        for agent in self.agents:
            agent.poll(wait)

    def await_answers(self, seconds: float) -> None:
        """Until each has its answer. Raises SystemExit after `seconds`."""
        missing, ends = len(self.agents), time.monotonic() + seconds
        while missing and time.monotonic() < ends:
            for ready, _ in self._selector.select(0.1):
                missing -= ready.data.receive()
        if missing:
            raise SystemExit(f"{missing} of {len(self.agents)} polls were not answered within {seconds:g} s")

    def close(self) -> None:
        for agent in self.agents:
            agent.connection.close()
