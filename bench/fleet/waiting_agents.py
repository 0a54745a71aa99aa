"""Agents that wait for a new plan: one connection each, without the work of a real agent."""

from __future__ import annotations

import json
import re
import resource
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

WAIT_SECONDS = 25  # seconds that a poll may wait
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)


@dataclass
class WaitingAgent:
    """`version` and `live_build`: of the last plan, the latter by its number. `planned_at`: when that build was in a
    plan first, by the monotonic clock."""

    token: str
    connection: socket.socket
    version: int | None = None
    live_build: int = 0
    planned_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def poll(self) -> None:
        """Wait for a plan after `version`. Without one yet, ask for the current plan."""
        query = f"?since={self.version}&wait={WAIT_SECONDS}" if self.version is not None else ""
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
        self.version = plan["version"]
        self.live_build = next((build["build"] for build in plan["builds"] if build["active"]), 0)
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
            agent.poll()
            self.agents.append(agent)

    def await_build(self, number: int, seconds: float) -> None:
        """Until this build is the live one in each plan, however many plans that takes. Raises SystemExit after
        `seconds`."""
        missing = {agent.token for agent in self.agents if agent.live_build != number}
        ends = time.monotonic() + seconds
        while missing and time.monotonic() < ends:
            for agent in self._answered(0.1):
                if agent.live_build == number and agent.token in missing:
                    missing.discard(agent.token)
                    agent.planned_at = time.monotonic()
        if missing:
            raise SystemExit(f"{len(missing)} of {len(self.agents)} agents had no plan within {seconds:g} s")

    def keep_polling(self, seconds: float) -> None:
        """Poll for so long, whatever the plans are."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            list(self._answered(left))

    def _answered(self, seconds: float) -> Iterator[WaitingAgent]:
        """The agents whose polls are answered now; each polls again at once. Waits for the first one."""
        for ready, _ in self._selector.select(seconds):
            agent: WaitingAgent = ready.data
            if agent.receive():
                yield agent
                agent.poll()

    def close(self) -> None:
        for agent in self.agents:
            agent.connection.close()
