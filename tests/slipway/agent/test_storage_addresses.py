"""Where the agent goes for archives, and what it takes along."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.util import parse_url

from slipway.agent.agent_process import Agent
from slipway.agent.command import main
from slipway.agent.exit_codes import ExitCode
from slipway.agent.settings import InvalidSettings, parse_platform_url, read_storage_hosts
from slipway.agent.storage_addresses import AddressRejected, StorageAddresses, StorageHost, parse_storage_hosts
from tests.slipway.agent.platform_server import TOKEN, Platform
from tests.slipway.agent.sample_games import Game, make_game
from tests.slipway.agent.storage_server import StorageServer
from tests.slipway.agent.wait_for import wait_for

HTTPS, HTTP = "https://portal.example", "http://portal.lan"


def refusal(platform: str, hosts: str, url: str) -> str:
    """Why the agent does not go there; empty when it does."""
    try:
        StorageAddresses(platform, parse_storage_hosts(hosts)).check(url)
    except AddressRejected as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize(
    ("platform", "hosts", "url"),
    [
        (HTTPS, "", "https://storage.example/b/k?X-Amz-Signature=1"),
        (HTTP, "", "http://storage.lan:9000/b/k"),
        (HTTP, "", "https://storage.example/b/k"),
        (HTTPS, "storage.example", "https://storage.example/b/k"),
        (HTTPS, "storage.example", "https://STORAGE.example.:8443/b/k"),
        (HTTPS, "other.example, storage.example:9000", "https://storage.example:9000/b/k"),
        (HTTPS, "storage.example:443", "https://storage.example/b/k"),
        (HTTPS, "[::1]:9000", "https://[::1]:9000/b/k"),
        (HTTPS, "http://10.0.0.5:9000", "http://10.0.0.5:9000/b/k"),
    ],
)
def test_storage_that_fits_the_platform_is_gone_to(platform: str, hosts: str, url: str) -> None:
    assert refusal(platform, hosts, url) == ""


@pytest.mark.parametrize(
    ("platform", "hosts", "url", "said"),
    [
        (HTTPS, "", "file:///etc/passwd", "scheme file"),
        (HTTP, "", "ftp://storage.example/b/k", "scheme ftp"),
        (HTTP, "", "/b/k", "scheme none"),
        (HTTP, "", "//storage.example/b/k", "scheme none"),
        (HTTP, "", "gopher://x/", "scheme gopher"),
        (HTTP, "", "http:///b/k", "without a host"),
        (HTTP, "", "http://", "without a host"),
        (HTTPS, "", "http://storage.example/b/k", "by plain http"),
        (HTTPS, "storage.example", "http://storage.example/b/k", "by plain http"),
        (HTTPS, "http://10.0.0.5", "http://10.0.0.6/b/k", "10.0.0.6, which is not among the hosts"),
        (HTTPS, "storage.example", "https://evil.example/b/k", "evil.example, which is not among the hosts"),
        (HTTPS, "storage.example", "https://storage.example.evil.example/", "not among the hosts"),
        (HTTPS, "storage.example", "https://sub.storage.example/", "not among the hosts"),
        (HTTPS, "storage.example:9000", "https://storage.example/b/k", "not among the hosts"),
        (HTTPS, "storage.example", "https://storage.example@evil.example/", "with a user name"),
        (HTTPS, "", "https://user:password@storage.example/", "with a user name"),
        (HTTPS, "storage.example", "https://evil.example\\@storage.example/", "not among the hosts"),
        (HTTPS, "storage.example", "https://evil.example#@storage.example/", "not among the hosts"),
        (HTTP, "", "http://storage.example:99999/", "cannot be parsed"),
        (HTTP, "", "http://storage.example/b k", "characters that are not allowed"),
        (HTTP, "", "http://storage.example/\r\nHost: evil.example", "characters that are not allowed"),
        (HTTP, "", "http://stör.example/", "characters that are not allowed"),
    ],
)
def test_other_addresses_are_refused_in_words(platform: str, hosts: str, url: str, said: str) -> None:
    assert said in refusal(platform, hosts, url)


def test_the_signed_part_of_an_address_is_in_no_refusal() -> None:
    for url in ("ftp://s.example/k?X-Amz-Signature=secret", "https://evil.example/k?X-Amz-Signature=secret"):
        said = refusal(HTTPS, "storage.example", url)
        assert said
        assert "secret" not in said


@settings(deadline=None)
@given(st.text() | st.from_regex(r"https?://[^/]*(@|:|\\|#|\?)?(storage\.example)?[^/]{0,9}/.*"))
def test_whatever_the_address_only_the_allowed_host_is_gone_to(url: str) -> None:
    if refusal(HTTPS, "storage.example", url) == "":
        parsed = parse_url(url)  # as the pool reads it
        assert (parsed.scheme, str(parsed.host).rstrip(".")) == ("https", "storage.example")


@pytest.mark.parametrize("text", ["ftp://a", "a/b", "a?b", "user@a", "a:b", "http://", "https://a/b", "a b", ":9000"])
def test_what_is_no_host_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a storage host"):
        parse_storage_hosts(text)


def test_hosts_come_from_the_option_or_else_the_environment() -> None:
    environment = {"SLIPWAY_AGENT_STORAGE_HOSTS": "a.example"}
    assert read_storage_hosts(None, environment) == (StorageHost("a.example", None, allow_http=False),)
    assert read_storage_hosts("http://B.example:9000", environment) == (
        StorageHost("b.example", 9000, allow_http=True),
    )
    assert read_storage_hosts(None, {}) == ()
    with pytest.raises(InvalidSettings, match=r"^SLIPWAY_AGENT_STORAGE_HOSTS: 'a/b' is not a storage host"):
        read_storage_hosts(None, {"SLIPWAY_AGENT_STORAGE_HOSTS": "a/b"})


def test_a_wrong_list_of_hosts_starts_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLIPWAY_TOKEN", TOKEN)
    code = main(["run", "--url", HTTPS, "--cache", str(cache), "--storage-hosts", "ftp://x"])
    assert code == ExitCode.USAGE
    assert "--storage-hosts: 'ftp://x' is not a storage host" in capsys.readouterr().err
    assert not cache.exists()


def test_the_platforms_scheme_is_the_same_in_any_case() -> None:
    assert parse_platform_url("HTTPS://portal.example/") == HTTPS
    for port in ("99999", "0", "x"):
        with pytest.raises(InvalidSettings, match="is not an address"):
            parse_platform_url(f"https://portal.example:{port}")


@pytest.fixture(scope="module")
def game() -> Game:
    return make_game(1, size=1 << 16)


@pytest.mark.slow
@pytest.mark.parametrize("address", ["file:///etc/passwd", "https://user@127.0.0.1/", "http://[", "x" * 8000])
def test_a_refused_address_is_a_failed_build_with_its_reason_and_the_others_arrive(
    platform: Platform, start_agent: Callable[..., Agent], game: Game, address: str, storage: StorageServer
) -> None:
    platform.release("g1", 1, game)
    platform.release("g2", 1, game)
    presign = storage.presign
    storage.presign = lambda path: address if "/g1/" in path else presign(path)  # type: ignore[method-assign]
    start_agent()
    wait_for(lambda: platform.phase("g2", 1) == "cached", "the other build cached")
    wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed")
    reason = (platform.row("g1", 1) or {})["reason"]
    assert reason.startswith("the plan contains an address")


@pytest.mark.slow
def test_a_host_that_is_not_allowed_is_never_asked(
    platform: Platform, start_agent: Callable[..., Agent], game: Game, storage: StorageServer
) -> None:
    platform.release("g1", 1, game)
    start_agent(storage_hosts=parse_storage_hosts("storage.example"))
    wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed")
    assert "not among the hosts in --storage-hosts" in (platform.row("g1", 1) or {})["reason"]
    assert storage.headers == []


@pytest.mark.slow
def test_nor_is_it_asked_when_a_fresh_address_leads_there(
    platform: Platform, start_agent: Callable[..., Agent], game: Game, storage: StorageServer
) -> None:
    """The second address of a fetch comes from a plan of its own."""
    elsewhere = StorageServer()
    with elsewhere:
        platform.release("g1", 1, game)
        storage.faults.hold_after = 0
        storage.faults.tear_after = [1000]
        here = parse_storage_hosts(str(parse_url(storage.presign("/")).netloc))
        start_agent(storage_hosts=here)
        assert storage.holding.wait(30)
        storage.expire_all()
        storage.presign = elsewhere.presign  # type: ignore[method-assign]
        storage.go_on.set()
        wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed")
        wait_for(lambda: "not among the hosts" in str(platform.row("g1", 1)), "and why")
        assert elsewhere.headers == []


@pytest.mark.slow
def test_storage_gets_no_token_and_no_other_credentials(
    platform: Platform, start_agent: Callable[..., Agent], game: Game, storage: StorageServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("http_proxy", "http://user:password@127.0.0.1:1")
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    assert storage.headers
    for headers in storage.headers:
        assert set(headers) <= {"host", "range", "accept-encoding", "user-agent"}
        assert TOKEN not in repr(headers)


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_storage_is_told_and_not_followed(
    platform: Platform, start_agent: Callable[..., Agent], game: Game, storage: StorageServer, status: int
) -> None:
    with StorageServer() as elsewhere, _Redirecting(status, elsewhere.presign("/x")) as redirecting:
        platform.release("g1", 1, game)
        storage.presign = lambda path: redirecting.url  # type: ignore[method-assign]
        start_agent()
        wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed")
        reason = (platform.row("g1", 1) or {})["reason"]
        assert reason == f"storage answered {status} (a redirect), and the agent follows no redirects"
        assert elsewhere.headers == []


class _Redirecting:
    """A server that sends everybody elsewhere."""

    def __init__(self, status: int, location: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Location", location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
                """Quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/archive"

    def __enter__(self) -> _Redirecting:
        Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._http.shutdown()
        self._http.server_close()
