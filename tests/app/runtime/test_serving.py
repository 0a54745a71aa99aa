"""gunicorn under app/runtime/web_server/gunicorn_settings.py: what it refuses, what a first and a second signal
do, and that no worker is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path

import pytest
import urllib3

from tests.app.runtime.processes import free_port, is_alive, tree, wait_until

pytestmark = pytest.mark.slow

GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "python:app.runtime.web_server.gunicorn_settings"]


def environment(folder: Path, port: int, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("S3_", "SLIPWAY_", "REDIS_"))}
    return kept | {"SLIPWAY_INSTANCE": str(folder), "PORT": str(port), "SLIPWAY_WORK_IN_WEB": "off"} | more


def refusal(folder: Path, *arguments: str, app: str = "tests.app.runtime.waiting_app:app", **settings: str) -> str:
    """What gunicorn says on standard error when it does not start."""
    ended = subprocess.run(
        [*GUNICORN, *arguments, app],
        env=environment(folder, free_port(), **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    return ended.stderr


class Server:
    """A running gunicorn with the waiting app. `ask` does so from another thread."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.log = folder / "gunicorn.log"
        self.http = urllib3.PoolManager(retries=False, timeout=70, maxsize=8)
        self._pool = ThreadPoolExecutor(8)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*GUNICORN, "tests.app.runtime.waiting_app:app"],
                env=environment(folder / "instance", self.port, **settings),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, 60, f"gunicorn answers; its log: {self.log.read_text()}")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0 and self.get("/") == "here"

    def get(self, path: str) -> str:
        return self.http.request("GET", f"http://127.0.0.1:{self.port}{path}").data.decode()

    def begin(self, path: str) -> Future[str]:
        return self._pool.submit(self.get, path)

    def ask(self, path: str) -> Future[str]:
        """Returned once a worker thread has the request."""
        answer = self.begin(path)
        self.begins(path, 1)
        return answer

    def begins(self, path: str, count: int) -> None:
        """Wait until worker threads have had so many requests for this path."""
        wait_until(lambda: self.log.read_text().count(f"begun: {path}") >= count, 30, f"{path} is being worked on")

    def close(self) -> None:
        for pid in tree(self.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._pool.shutdown()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path, SLIPWAY_DRAIN_SECONDS="2", SLIPWAY_STREAMS="50")
    yield running
    running.close()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests that only ask it something."""
    running = Server(tmp_path_factory.mktemp("serving"), SLIPWAY_STREAMS="50")
    yield running
    running.close()


def test_more_than_one_process_without_redis_is_refused_however_it_is_asked_for(tmp_path: Path) -> None:
    for said in (refusal(tmp_path, SLIPWAY_WORKERS="2"), refusal(tmp_path, "--workers", "2")):
        assert "2 web processes were asked for" in said
        assert "REDIS_URL" in said


def test_a_setting_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, SLIPWAY_WORKERS="many").strip() == (
        "Slipway did not start: SLIPWAY_WORKERS='many' must be a whole number of at least 1."
    )
    assert refusal(tmp_path, SLIPWAY_STREAMS="lots").startswith("Slipway did not start: SLIPWAY_STREAMS='lots'")


def test_a_certificate_is_refused_because_a_proxy_has_it(tmp_path: Path) -> None:
    said = refusal(tmp_path, "--certfile", "cert.pem", "--keyfile", "key.pem")
    assert "put a proxy that speaks TLS in front" in said


def test_the_portal_does_not_serve_without_storage(tmp_path: Path, empty_sqlite: Path) -> None:
    """Storage is read at the start only: a portal without one would fail for every build until somebody restarts it."""
    shutil.copy(empty_sqlite, tmp_path / "slipway.db")
    said = refusal(tmp_path, app="wsgi:app")
    assert "Slipway did not start: S3_ENDPOINT is not set, and the embedded storage of " in said
    assert "start the embedded storage first: slipway-storage.service or `flask storage run`" in said


def test_systemd_is_told_that_the_server_is_ready_when_a_worker_serves(tmp_path: Path) -> None:
    """Not when gunicorn listens: its workers load the app after that, and may fail to."""
    loads_after, port = tmp_path / "fifo", free_port()
    os.mkfifo(loads_after)
    own = {"NOTIFY_SOCKET": str(tmp_path / "notices"), "LOADS_AFTER": str(loads_after), "SLIPWAY_STREAMS": "50"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices, (tmp_path / "log").open("wb") as log:
        notices.bind(own["NOTIFY_SOCKET"])
        notices.setblocking(False)
        process = subprocess.Popen(
            [*GUNICORN, "tests.app.runtime.late_app:app"],
            env=environment(tmp_path / "instance", port, **own),
            stdout=log,
            stderr=log,
        )
        try:
            # The FIFO opens when a worker loads the app.
            with loads_after.open("w"), pytest.raises(BlockingIOError):
                notices.recv(100)
            notices.settimeout(60)
            assert notices.recv(100) == b"READY=1"
            assert urllib3.request("GET", f"http://127.0.0.1:{port}/", retries=False, timeout=60).data == b"here"
        finally:
            for pid in tree(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait()


def test_the_first_signal_ends_waiting_at_once_and_uploads_after_the_drain(server: Server) -> None:
    pids = tree(server.process.pid)
    waiting, transferring = server.ask("/until-stopping"), server.ask("/until-cut")
    ended: list[str] = []
    for future in (transferring, waiting):
        future.add_done_callback(lambda done: ended.append(done.result()))
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: len(ended) == 2, 20, "both have ended")
    assert ended == ["stopping", "cut"]
    assert time.monotonic() - began >= 2.0
    assert server.process.wait(10) == 0
    assert not any(is_alive(pid) for pid in pids)
    assert list((server.log.parent / "instance").glob("web-*.pid")) == []


def test_a_stopping_server_refuses_new_connections_and_ends_what_it_has(server: Server) -> None:
    """On a socket that is still open, the kernel would accept connections that nothing serves."""
    transferring = server.ask("/until-cut")
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not connects(server.port), 20, "nothing listens any more")
    assert not transferring.done()
    assert transferring.result(20) == "cut"


def connects(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_calls_over_the_budget_are_refused_at_once(tmp_path: Path) -> None:
    server = Server(tmp_path, SLIPWAY_CALLS="2", SLIPWAY_STREAMS="50")
    address = f"http://127.0.0.1:{server.port}"
    try:
        waiting = [server.ask("/until-stopping"), server.ask("/until-cut")]
        refused = server.http.request("GET", f"{address}/api/partners/games")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        assert refused.json()["error"] == "service_unavailable"
        assert "All 2 places for calls are in use" in refused.json()["message"]
        assert server.http.request("GET", f"{address}/livez").status == 200, "nobody restarts a busy process"
        stream = server.http.request("GET", f"{address}/games/a/live", headers={"Accept": "text/event-stream"})
        assert stream.status == 200, "live pages have a budget of their own"
        for path in ("/api/servers/self/plan", "/api/v2/servers/self/plan?since=3&wait=25"):
            poll = server.http.request("GET", f"{address}{path}")
            assert poll.status != 503, "polls have a budget of their own"
        for _ in range(20):
            assert server.http.request("GET", f"{address}/").status == 503
        for path in (
            "/",
            "/?next=/games/a/live",
            "/live-a",
            "/?next=/api/servers/self/plan",
            "/api/servers/self/planned",
        ):
            dressed_up = server.http.request("GET", f"{address}{path}", headers={"Accept": "text/event-stream"})
            assert dressed_up.status == 503, "the header alone lets nothing through"
        assert server.log.read_text().count("too many calls") == 1
        assert not any(future.done() for future in waiting)
    finally:
        server.close()


def test_requests_that_pass_a_full_budget_take_no_places_of_calls(tmp_path: Path) -> None:
    """They need no token. 700 connections that sent what looks like polls, or asked for /livez, kept all other calls
    refused for as long as they lasted."""
    server = Server(tmp_path, SLIPWAY_CALLS="2", SLIPWAY_STREAMS="50")
    try:
        flood = [server.begin(path) for path in ("/dressed-up/servers/self/plan", "/livez?waits") for _ in range(3)]
        wait_until(lambda: server.log.read_text().count("begun: /dressed-up") == 3, 30, "all polls are in threads")
        wait_until(lambda: server.log.read_text().count("begun: /livez") == 3, 30, "all probes are in threads")
        assert server.get("/") == "here"
        assert not any(future.done() for future in flood)
    finally:
        server.close()


def test_make_run_refuses_to_load_new_code_and_names_the_reason(tmp_path: Path) -> None:
    """The new program would not be its child, so it could neither watch nor stop it."""
    server = Server(tmp_path, SLIPWAY_SUPERVISED="1", SLIPWAY_STREAMS="50")
    try:
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "`make run` supervises this server" in server.log.read_text(), 20, "the refusal is logged")
        assert server.get("/") == "here"
        assert len(tree(server.process.pid)) == 2
    finally:
        server.close()


def test_a_ctrl_c_in_its_terminal_drains_too(server: Server) -> None:
    transferring = server.ask("/until-cut")
    began = time.monotonic()
    os.killpg(server.process.pid, signal.SIGINT)  # what a terminal does: master and worker both get it
    assert transferring.result(10) == "cut"
    assert time.monotonic() - began >= 2.0
    assert server.process.wait(10) == 0


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_everything_at_once(tmp_path: Path, again: signal.Signals) -> None:
    server = Server(tmp_path, SLIPWAY_DRAIN_SECONDS="40", SLIPWAY_STREAMS="50")
    try:
        pids = tree(server.process.pid)
        server.ask("/until-killed")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "Handling signal: term" in server.log.read_text(), 30, "the first signal is being handled")
        began = time.monotonic()
        server.process.send_signal(again)
        server.process.wait(60)
        assert time.monotonic() - began < 20, "without the drain"
        assert not any(is_alive(pid) for pid in pids)
    finally:
        server.close()


def test_a_worker_does_not_outlive_a_killed_master(server: Server) -> None:
    workers = [pid for pid in tree(server.process.pid) if pid != server.process.pid]
    assert len(workers) == 1
    server.ask("/until-killed")
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not is_alive(workers[0]), 30, "the worker ended with its master")


def test_there_are_files_and_stacks_for_every_thread(lasting: Server) -> None:
    limits = json.loads(lasting.get("/limits"))
    assert limits["openFiles"] >= 2 * (50 + 64)
    assert limits["threadStack"] == 2 * 1024**2


def test_queries_are_in_no_log_and_a_path_cannot_forge_a_line(lasting: Server) -> None:
    lasting.get("/?X-Amz-Signature=s3cr3t")
    lasting.get("/fails?token=s3cr3t")
    lasting.get("/fails%0a%7B%22forged%22%3A1%7D")
    log = lasting.log.read_text()
    assert "s3cr3t" not in log
    assert "fails on purpose" in log
    for line in log.splitlines():
        assert "levelname" in json.loads(line)


def test_links_that_let_somebody_in_are_in_no_log(lasting: Server) -> None:
    """Such a path is a secret: whoever has it becomes a member, or takes a member's place."""
    lasting.get("/invitations/inv_s3cr3t")
    lasting.get("//Invitations/inv_s3cr3t")
    lasting.get("/new-password/pwd_s3cr3t")
    wait_until(lambda: "GET /new-password/" in lasting.log.read_text(), 30, "the access log has the requests")
    assert "GET /invitations/" in lasting.log.read_text()
    assert "s3cr3t" not in lasting.log.read_text()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /invitations/inv_s3cr3t\xff HTTP/1.1\r\nHost: here\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: here\r\nAuthorization Bearer s3cr3t\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: here\r\nExpect: it's s3cr3t\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\n\r\n&password=s3cr3t\r\n\r\n",
    ],
    ids=["a link", "a header", "a quoted header", "a form taken for a request"],
)
def test_what_cannot_be_read_is_in_no_log(lasting: Server, sent: bytes) -> None:
    before = lasting.log.read_text().count("Invalid request from ip=127.0.0.1: ")
    with socket.create_connection(("127.0.0.1", lasting.port), timeout=20) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        assert b" 4" in b"".join(iter(lambda: client.recv(65536), b""))
    said = "Invalid request from ip=127.0.0.1: "
    wait_until(lambda: lasting.log.read_text().count(said) > before, 30, "the log says that a request was refused")
    assert "s3cr3t" not in lasting.log.read_text()


def test_headers_of_a_proxy_nobody_configured_are_not_believed(lasting: Server) -> None:
    """With gunicorn's default, anything on this machine could claim https."""
    claim = {"X-Forwarded-Proto": "https"}
    assert lasting.http.request("GET", f"http://127.0.0.1:{lasting.port}/scheme", headers=claim).data == b"http"


def test_clients_that_keep_their_end_open_keep_nobody_else_waiting(lasting: Server) -> None:
    """gunicorn's own way of closing would accept nobody for two seconds for each of them."""
    held = [socket.create_connection(("127.0.0.1", lasting.port), timeout=10) for _ in range(30)]
    for connection in held:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        assert b"here" in connection.makefile("rb").read()
    fresh = urllib3.PoolManager(retries=False, timeout=10)
    assert fresh.request("GET", f"http://127.0.0.1:{lasting.port}/").data == b"here"
    for connection in held:
        connection.close()


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_held_answer_continues_when_its_client_reads_again(lasting: Server, version: str) -> None:
    """Another thread sends until the client accepts no more; nothing is lost, and the app sends the end."""
    with socket.create_connection(("127.0.0.1", lasting.port), timeout=60) as client:
        client.sendall(f"GET /held HTTP/{version}\r\nHost: here\r\nConnection: close\r\n\r\n".encode())
        answer = HTTPResponse(client)
        answer.begin()
        first, *lines, last = answer.read().splitlines()
    assert first == b"first"
    sent = int(last.removeprefix(b"last after "))
    assert lines == [b"%07d" % number for number in range(sent + 1) for _ in range(10_000)]
