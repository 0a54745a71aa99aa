"""Answers of a broken or hostile platform and storage: none ends a thread, waits without end, or leaves the cache."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import urllib3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway.agent.agent_process import Agent
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.download import FetchFailed, download
from slipway.agent.cache.part_file import PartFile
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import MAX_POLL_AFTER_SECONDS, InvalidPlan, Plan, WantedBuild, parse_plan
from slipway.agent.plan_poller import PlanPoller
from slipway.agent.platform_client import (
    MAX_REPORT_AFTER_SECONDS,
    MAX_RETRY_AFTER_SECONDS,
    PlatformClient,
    PlatformRefused,
    PlatformUnreachable,
    ReportResponse,
    make_platform_pool,
)
from slipway.agent.response_fields import MAX_BUILDS, MAX_BYTES, MAX_COUNTER, parse_wait_seconds
from slipway.agent.settings import Settings
from slipway.client.backoff import Backoff
from slipway.client.printable import MAX_LINE_LENGTH
from slipway.client.retry_after import retry_after_seconds
from slipway.client.storage_connections import StorageConnections
from tests.slipway.agent.agent_process import AgentProcess
from tests.slipway.agent.dripping_server import DrippingServer
from tests.slipway.agent.hostile_answers import BODIES, JSON, RETRY_AFTER, answers, as_bytes, spoilt
from tests.slipway.agent.platform_server import TOKEN, Platform, PlatformServer
from tests.slipway.agent.raw_server import RawServer
from tests.slipway.agent.sample_games import Game, make_game
from tests.slipway.agent.storage_server import StorageServer
from tests.slipway.agent.wait_for import wait_for

# No matter how busy the machine is. Fixtures are shared by the examples on purpose: what one leaves meets the next.
steady = settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)

BUILD = {
    "gameId": "g1",
    "slug": "paper-lanterns",
    "build": 3,
    "size": 10,
    "checksum": "sha256:" + "a" * 64,
    "unpackedBytes": 20,
    "topDirectory": "game-1.0",
    "launcher": "game.sh",
    "archiveUrl": "http://127.0.0.1:1/a?X-Amz-Signature=secret",
    "urlExpiresAt": "2026-01-01T00:00:00Z",
    "active": True,
    "retry": 0,
    "keep": False,
    "pack": {
        "url": "http://127.0.0.1:1/pack?X-Amz-Signature=secret",
        "bytes": 100,
        "index": {"url": "http://127.0.0.1:1/index?x", "bytes": 10, "sha256": "b" * 64, "size": 100},
        "updates": [
            {
                "build": 2,
                "bytes": 30,
                "delta": {"url": "http://127.0.0.1:1/delta?x", "bytes": 5},
                "patch": {"url": "http://127.0.0.1:1/patch?x", "bytes": 5, "sha256": "c" * 64},
            }
        ],
    },
}
PLAN = {
    "version": 7,
    "server": {"id": "srv-01"},
    "pollAfterSeconds": 0,
    "builds": [BUILD, BUILD | {"gameId": "g2"}],
    "evict": [{"gameId": "g1", "build": 2}],
}
RECEIPT = {"accepted": True, "planVersion": 7, "reportAfterSeconds": 10, "ignoredSessions": ["s1"]}
SESSION = {"id": "s1", "gameId": "g1", "build": 3, "path": "g1/3/game-1.0", "launcher": "game.sh"}


def bounded(seconds: float | None, longest: float) -> bool:
    return seconds is None or (math.isfinite(seconds) and 0 <= seconds <= longest)


def is_one_line(text: str) -> bool:
    return text.isprintable() and len(text) <= 2 * MAX_LINE_LENGTH


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("5", 5.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("61", 60.0),
        ("9" * 400, 60.0),
        ("1e308", None),
        ("nan", None),
        ("inf", None),
        ("-1", None),
        ("7.5", None),
        ("²", None),
        ("soon", None),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 60.0),
        ("Wed, 21 Oct 1970 07:28:00 GMT", 0.0),
        ("Wed, 99 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_bounded(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, 60.0) == seconds


def test_a_date_soon_to_come_is_waited_for() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    waited = retry_after_seconds(soon, 3600.0)
    assert waited is not None
    assert 300 < waited <= 600


@steady
@given(RETRY_AFTER)
def test_no_retry_after_is_without_bounds(header: str) -> None:
    assert bounded(retry_after_seconds(header, 60.0), 60.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (5, 5.0),
        (2.5, 2.5),
        (60.1, 60.0),
        (10**400, 60.0),
        (float("inf"), 60.0),
        (float("nan"), 0.0),
        (-1, 0.0),
        (-(10**400), 0.0),
        ("5", 0.0),
        (None, 0.0),
        (True, 0.0),
        ([], 0.0),
    ],
)
def test_waits_in_an_answer_are_bounded(value: object, seconds: float) -> None:
    assert parse_wait_seconds(value, 60.0) == seconds


def is_within_bounds(plan: Plan) -> bool:
    keys = [build.key for build in plan.builds]
    active = [build.key.game_id for build in plan.builds if build.active]
    return (
        0 <= plan.version <= MAX_COUNTER
        and bounded(plan.poll_after_seconds, MAX_POLL_AFTER_SECONDS)
        and len(set(keys)) == len(keys)
        and len(set(active)) == len(active)
        and all(0 <= build.size <= MAX_BYTES and 0 <= build.unpacked_bytes <= MAX_BYTES for build in plan.builds)
        and all(_is_one_folder(str(key.game_id)) and 1 <= key.build < 2**31 for key in (*keys, *plan.evict))
        and all(_is_one_name(build.top_directory) and _is_one_name(build.launcher) for build in plan.builds)
    )


def _is_one_folder(name: str) -> bool:
    return _is_one_name(name) and not name.startswith(".") and len(name) <= 64


def _is_one_name(name: str) -> bool:
    return name not in {"", ".", ".."} and Path(name).name == name and len(os.fsencode(name)) <= 255


@pytest.mark.slow
@settings(steady, max_examples=300)
@given(spoilt(PLAN) | JSON)
def test_what_is_read_as_a_plan_is_within_bounds(document: Any) -> None:
    plan, said = None, ""
    try:
        plan = parse_plan(document)
    except InvalidPlan as unreadable:
        said = str(unreadable)
    assert is_one_line(said)
    assert plan is None or is_within_bounds(plan)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"version": 2**63}, "version"),
        ({"version": True}, "version"),
        ({"builds": [BUILD, BUILD]}, "the build g1.3 twice"),
        ({"builds": [BUILD, BUILD | {"build": 4}]}, "an active build of g1 twice"),
        ({"builds": [BUILD | {"active": "false"}]}, "active 'false' is neither true nor false"),
        ({"builds": [BUILD | {"size": MAX_BYTES + 1}]}, "size"),
        ({"builds": [BUILD | {"unpackedBytes": 1e300}]}, "unpackedBytes"),
        ({"builds": [BUILD | {"gameId": "g" * 65}]}, "gameId"),
        ({"builds": [BUILD | {"build": 2**31}]}, "build"),
        ({"builds": [BUILD | {"topDirectory": "\ud800"}]}, "topDirectory"),
        ({"builds": [BUILD | {"archiveUrl": None}]}, "archiveUrl"),
        ({"builds": [BUILD | {"archiveUrl": "x" * 8193}]}, "archiveUrl"),
        (
            {"builds": [BUILD | {"build": n} for n in range(1, MAX_BUILDS + 2)]},
            "builds is not a list of at most 10000 entries",
        ),
        ({"evict": {}}, "evict is not a list"),
        ({"server": {"id": "\x1b[2J"}}, "server.id"),
    ],
)
def test_a_plan_out_of_bounds_is_refused_by_what_is_wrong(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidPlan, match=named):
        parse_plan(PLAN | changes)


def test_brackets_within_each_other_are_no_more_than_a_wrong_field() -> None:
    """What json.loads can just read, str() and repr() a few calls further down cannot."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    for field in BUILD:
        with contextlib.suppress(InvalidPlan):
            assert is_within_bounds(parse_plan(PLAN | {"builds": [BUILD | {field: deep}]}))


@pytest.mark.parametrize("asked", [1e-320, 0.001])
def test_a_tiny_wait_is_no_busy_loop(asked: float, platform: Platform, server: PlatformServer, cache: Path) -> None:
    platform.raw_plans.append(_http(as_bytes(PLAN | {"builds": [], "evict": [], "pollAfterSeconds": asked})))
    client = PlatformClient(make_platform_pool(), server.url, TOKEN)
    plan_poller = PlanPoller(client, Backoff(), Event(), on_plan=lambda: None)
    assert plan_poller._poll() >= 0.1


@pytest.fixture
def raw() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


@pytest.fixture
def pool() -> urllib3.PoolManager:
    return make_platform_pool()


@pytest.mark.slow
@steady
@given(data=st.data())
def test_any_answer_of_the_platform_is_understood_or_refused(
    raw: RawServer, pool: urllib3.PoolManager, data: st.DataObject
) -> None:
    client = PlatformClient(pool, raw.url, TOKEN)
    valid: Any
    call: Callable[[], object]
    for valid, call in (
        (PLAN, lambda: client.plan(None, 0)),
        (RECEIPT, lambda: client.report({})),
        (SESSION, lambda: client.start_session("s1", "g1")),
        ({}, lambda: client.end_session("s1")),
    ):
        raw.answer = data.draw(answers(valid))
        found, failed = _outcome(call)
        assert is_one_line(str(failed or ""))
        if isinstance(failed, PlatformUnreachable):
            assert bounded(failed.retry_after, MAX_RETRY_AFTER_SECONDS)
        elif isinstance(failed, PlatformRefused):
            assert is_one_line(failed.code)
        elif isinstance(found, Plan):
            assert is_within_bounds(found)
        elif isinstance(found, ReportResponse):
            assert bounded(found.report_after_seconds, MAX_REPORT_AFTER_SECONDS)
            assert found.plan_version is None or 0 <= found.plan_version <= MAX_COUNTER
        elif isinstance(found, int) and not isinstance(found, bool):
            assert 1 <= found < 2**31


def _outcome(call: Callable[[], object]) -> tuple[object, Exception | None]:
    """What came of a call that may fail in the two ways that its callers know."""
    try:
        return call(), None
    except (PlatformUnreachable, PlatformRefused) as failed:
        return None, failed


@pytest.mark.slow
@steady
@given(answer=answers(PLAN) | BODIES)
def test_any_answer_of_storage_is_a_failed_attempt(raw: RawServer, cache: Path, answer: bytes) -> None:
    layout = CacheLayout(cache)
    layout.create()
    raw.answer = answer
    wanted = WantedBuild(BuildKey("g1", 1), 2000, "0" * 64, 1, "top", "a.sh", raw.url, True, 0)
    with PartFile(layout, wanted) as part:
        said = ""
        try:
            download(StorageConnections(), raw.url, wanted.size, part, lambda count: None)
        except FetchFailed as failed:
            said = str(failed)
        assert is_one_line(said)
        assert part.length <= wanted.size


def test_storage_cannot_send_more_than_was_asked_for(raw: RawServer, cache: Path) -> None:
    layout = CacheLayout(cache)
    layout.create()
    raw.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n" + b"x" * 9000
    wanted = WantedBuild(BuildKey("g1", 1), 2000, "0" * 64, 1, "top", "a.sh", raw.url, True, 0)
    with PartFile(layout, wanted) as part:
        with pytest.raises(FetchFailed, match="breaks the rules of HTTP"):
            download(StorageConnections(), raw.url, wanted.size, part, lambda count: None)
        assert part.length == 0


def test_an_answer_is_not_unpacked_in_memory(raw: RawServer, pool: urllib3.PoolManager) -> None:
    body = gzip.compress(b" " * (64 << 20))
    raw.answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with pytest.raises(PlatformUnreachable, match="is not a JSON object"):
        PlatformClient(pool, raw.url, TOKEN).plan(None, 0)


@pytest.mark.parametrize(
    ("start", "drops"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"y", id="head"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="interim responses"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b" ", id="body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", id="chunks"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"X: y\r\n", id="trailer"
        ),
    ],
)
def test_an_answer_that_drips_has_an_end(start: bytes, drops: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.agent.platform_client.MAX_RESPONSE_SECONDS", 0.5)
    with DrippingServer(start, drops) as server:
        address = server.url.partition("/pack")[0]
        with pytest.raises(PlatformUnreachable, match="its response took longer than"):
            PlatformClient(make_platform_pool(), address, TOKEN).plan(None, 0)


def test_a_trailer_of_storage_is_not_waited_for(raw: RawServer) -> None:
    """It may have no end, at any speed."""
    raw.answer = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-0/1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * 400_000
    )
    with StorageConnections().get(raw.url, 0, 0) as response:
        view = memoryview(bytearray(10))
        assert (response.readinto(view), response.readinto(view)) == (1, 0)


@pytest.mark.slow
def test_a_wait_beyond_all_bounds_does_not_end_the_planner(
    platform: Platform, start_process: Callable[..., AgentProcess]
) -> None:
    """In a real process, with its own waits: `Retry-After: 1e308` once ended the thread unseen."""
    for seconds in (b"1e308", b"nan", b"-7"):
        answer = b"HTTP/1.1 503 No\r\nRetry-After: %s\r\nContent-Length: 2\r\n\r\n{}" % seconds
        platform.raw_plans.append(answer)
        platform.raw_receipts.append(answer)
    platform.release("g1", 1, make_game(1, size=1 << 16))
    process = start_process()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached", seconds=60)
    assert not platform.raw_plans
    assert not platform.raw_receipts
    assert "a thread failed" not in process.log


def _http(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


NASTY = [
    b"",
    b"\x16\x03\x01",
    _http(b"{}", b"Retry-After: 1e308", status=b"503 No"),
    _http(b"{}", b"Retry-After: " + b"9" * 5000, status=b"429 No"),
    _http(b"[" * 100_000),
    _http(b"9" * 10_000),
    _http(as_bytes(PLAN | {"pollAfterSeconds": float("inf"), "builds": [None]})),
    _http(b'{"version": 1e999, "server": {"id": "srv-01"}, "builds": [], "evict": []}'),
    _http(as_bytes(PLAN | {"builds": [BUILD | {"size": 10**400}]})),
    _http(as_bytes(PLAN | {"builds": [BUILD | {"gameId": "../../outside"}]})),
    _http(as_bytes({"planVersion": 10**300, "reportAfterSeconds": float("nan"), "accepted": "yes"})),
    _http(json.dumps({"message": "\x1b[2J" * 100_000, "error": ["two_agents"]}).encode(), status=b"409 No"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffffff\r\n{}",
]


@pytest.mark.slow
def test_no_answer_ends_a_thread(platform: Platform, start_agent: Callable[..., Agent], cache: Path) -> None:
    game = make_game(1, size=1 << 16)
    platform.release("g1", 1, game)
    agent = start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    # A bound for the test's sake: some of these rightly ask for a minute.
    with platform.changed:
        platform.raw_plans += [answer for answer in NASTY if b"Retry-After: 9" not in answer]
        platform.raw_receipts += [answer for answer in NASTY if b"Retry-After: 9" not in answer]
        platform._bump()
    wait_for(lambda: not platform.raw_plans and not platform.raw_receipts, "all of them answered", seconds=60)
    update = make_game(2, size=1 << 16, top="paper-lanterns-1.1")
    platform.release("g1", 2, update)
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached", seconds=60)
    agent.supervisor.check_threads()
    assert list(agent.supervisor.failing) == []
    assert all(thread.is_alive() for thread in agent.supervisor.threads)


@pytest.fixture
def surroundings(tmp_path: Path, cache: Path) -> Callable[[], dict[str, bytes]]:
    """What lies around and in the cache directory and is none of the agent's, path by path."""
    for path in (tmp_path / "outside" / "1" / "save.dat", cache / "other-data" / "keep" / "notes", cache / "README"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not the agent's")

    def look() -> dict[str, bytes]:
        found = [path for path in tmp_path.rglob("*") if not path.is_relative_to(cache)]
        found += [cache / "other-data" / "keep" / "notes", cache / "README"]
        return {str(path): path.read_bytes() if path.is_file() else b"" for path in found if path.exists()}

    return look


@pytest.mark.slow
@settings(steady, max_examples=25)
@given(data=st.data())
def test_no_plan_makes_the_agent_write_or_delete_outside_of_its_folders(
    cache: Path, storage: StorageServer, surroundings: Callable[[], dict[str, bytes]], data: st.DataObject
) -> None:
    game = make_game(1, size=1 << 12)
    before = surroundings()
    entry = _entry(storage, game)
    agent = _agent(cache)
    try:
        for _ in range(3):
            document = data.draw(spoilt(PLAN | {"builds": [entry, entry | {"gameId": "other-data"}]}))
            try:
                agent.plan_poller._apply_plan(parse_plan(document))
            except InvalidPlan:
                continue
            agent.reconciler.step()
            wait_for(lambda: _all_fetched(agent), "nothing is being fetched", seconds=60)
            agent.reconciler.step()
            assert surroundings() == before
    finally:
        os.close(agent._lock)


def _entry(storage: StorageServer, game: Game) -> dict[str, Any]:
    storage.objects["/a"] = game.archive
    return BUILD | {
        "size": game.size,
        "checksum": f"sha256:{game.sha256}",
        "unpackedBytes": game.unpacked_bytes,
        "topDirectory": game.top_directory,
        "launcher": game.launcher,
        "archiveUrl": storage.presign("/a"),
    }


def _agent(cache: Path) -> Agent:
    """Not started: the test takes its steps."""
    never = Backoff(initial_delay=0.001, max_delay=0.002)
    return Agent(
        Settings("http://127.0.0.1:1", TOKEN, cache, disk_floor=0, build_backoff=never, platform_backoff=never)
    )


def _all_fetched(agent: Agent) -> bool:
    with agent.workers._lock:
        return len(agent.workers._outcomes) == len(agent.workers._tasks)
