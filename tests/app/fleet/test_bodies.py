"""While the body of a call comes in, nothing is held that others need."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import QueuePool

from app.data.extensions import db
from app.data.models.game import Build, Game
from app.fleet.servers import retire_server
from tests.app.fleet.acting import SELF, STUDIO, FleetAgent, held, new_build
from tests.app.fleet.counting import statements
from tests.conftest import Cast, bearer


@pytest.fixture
def build(game: Game) -> Build:
    return new_build(game)


def test_no_database_connection_is_held_while_a_report_comes_in(
    app: Flask, cast: Cast, agent: FleetAgent, build: Build
) -> None:
    document = json.dumps(agent.document(held(build, "cached"))).encode()
    pool: Any = db.engine.pool
    assert isinstance(pool, QueuePool)
    db.session.remove()
    held_meanwhile: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            held_meanwhile.append(pool.checkedout())
            return super().read(size)

        def readinto(self, buffer: Any) -> int:
            held_meanwhile.append(pool.checkedout())
            return super().readinto(buffer)

    def send() -> int:
        answer = app.test_client().post(
            f"{SELF}/reports",
            input_stream=Watched(document),
            content_length=len(document),
            headers=bearer(agent.token) | {"Content-Type": "application/json"},
        )
        return answer.status_code

    with ThreadPoolExecutor(1) as thread:  # in a context of its own, as requests are
        assert thread.submit(send).result(20) == 200
    assert held_meanwhile
    assert set(held_meanwhile) == {0}


@pytest.mark.parametrize(("is_whole", "times"), [(True, 1), (False, 2)])
def test_a_token_is_looked_up_again_only_after_a_body_that_took_its_time(
    agent: FleetAgent, build: Build, is_whole: bool, times: int
) -> None:
    agent.report(held(build, "downloading"))
    with statements() as sent:
        answer = agent.client.post(
            f"{SELF}/reports",
            json=agent.document(held(build, "downloading", bytesDone=1)),
            headers=bearer(agent.token),
            environ_overrides={"slipway.request_is_whole": is_whole},
        )

    assert answer.status_code == 200
    assert sum("servers.token_hash" in text for text in sent) == times


def test_a_server_that_is_retired_while_its_report_comes_in_is_refused(
    app: Flask, cast: Cast, agent: FleetAgent, build: Build
) -> None:
    document = json.dumps(agent.document(held(build, "cached"))).encode()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            retire_server("srv-01", STUDIO)
            return super().read(size)

        def readinto(self, buffer: Any) -> int:
            retire_server("srv-01", STUDIO)
            return super().readinto(buffer)

    answer = app.test_client().post(
        f"{SELF}/reports",
        input_stream=Slow(document),
        content_length=len(document),
        headers=bearer(agent.token) | {"Content-Type": "application/json"},
    )

    assert answer.status_code == 401
