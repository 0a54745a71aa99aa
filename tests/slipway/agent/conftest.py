"""The agent with a platform and a storage of the tests' own: real servers on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slipway.agent.agent_process import Agent
from slipway.agent.reporter import Intervals
from slipway.agent.settings import Settings
from slipway.client.backoff import Backoff
from tests.slipway.agent.agent_process import AgentProcess
from tests.slipway.agent.platform_server import TOKEN, Platform, PlatformServer
from tests.slipway.agent.storage_server import StorageServer


@pytest.fixture
def storage() -> Iterator[StorageServer]:
    with StorageServer() as server:
        yield server


@pytest.fixture
def server(storage: StorageServer) -> Iterator[PlatformServer]:
    with PlatformServer(storage) as running:
        yield running


@pytest.fixture
def platform(server: PlatformServer) -> Platform:
    return server.platform


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "games"


@pytest.fixture
def start_agent(
    server: PlatformServer, platform: Platform, storage: StorageServer, cache: Path
) -> Iterator[Callable[..., Agent]]:
    """Starts the agent inside the test's process, with short waits. Settings can be overridden by name."""
    started: list[Agent] = []

    def start(**overrides: object) -> Agent:
        settings: dict[str, object] = {
            "url": server.url,
            "token": TOKEN,
            "cache": cache,
            "disk_floor": 1 << 20,
            "pace": Intervals(busy=0.1, idle=0.3, sessions=0.1),
            "build_backoff": Backoff(initial_delay=0.05, max_delay=0.2),
            "platform_backoff": Backoff(initial_delay=0.05, max_delay=0.2),
        }
        agent = Agent(Settings(**(settings | overrides)))  # type: ignore[arg-type]  # a dict of mixed values
        started.append(agent)
        agent.start()
        return agent

    yield start
    storage.go_on.set()
    platform.go_down()  # Ends the poll that the plan_poller waits in.
    for agent in started:
        agent.stop()
        for thread in agent.supervisor.threads:
            thread.join(10)
            assert not thread.is_alive(), f"{thread.name} did not end"


@pytest.fixture
def start_process(server: PlatformServer, cache: Path, tmp_path: Path) -> Iterator[Callable[..., AgentProcess]]:
    """Starts `slipway-agent run` as a process of its own; ended at the end of the test."""
    started: list[AgentProcess] = []

    def start(*arguments: str, url: str = server.url, **failing: str) -> AgentProcess:
        log = tmp_path / f"agent-{len(started)}.log"
        process = AgentProcess(url, cache, log, arguments, **failing)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
