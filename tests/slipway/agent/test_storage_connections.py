"""Connections to storage: kept for the next request, and given up when storage sends almost nothing."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest

from slipway.agent.cache.bandwidth import Bandwidth
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.download import FetchFailed, download
from slipway.agent.cache.part_file import PartFile
from slipway.agent.packs.pack_offer import StoredObject
from slipway.agent.packs.storage_client import OpenRange, StorageClient
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import WantedBuild
from slipway.agent.storage_addresses import StorageAddresses
from slipway.client.storage_connections import StorageConnections, StorageResponse, StorageUnreachable
from tests.slipway.agent.dripping_server import DrippingServer
from tests.slipway.agent.storage_server import StorageServer

HEAD = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-99999/100000\r\nContent-Length: 100000\r\n\r\n"
WINDOW_SECONDS = 0.4


@pytest.fixture
def connections() -> StorageConnections:
    return StorageConnections(window_seconds=WINDOW_SECONDS)


@pytest.fixture(
    params=[
        pytest.param((HEAD, b"x"), id="body"),
        pytest.param((b"", HEAD.replace(b"\r\n\r\n", b"\r\nX: y")), id="head"),
        pytest.param(
            (HEAD.replace(b"Content-Length: 100000", b"Transfer-Encoding: chunked"), b"1\r\nx\r\n"), id="chunks"
        ),
    ]
)
def dripping(request: pytest.FixtureRequest) -> Iterator[DrippingServer]:
    with DrippingServer(*request.param) as server:
        yield server


def test_a_pack_that_drips_is_given_up(dripping: DrippingServer, connections: StorageConnections) -> None:
    client = StorageClient(connections, StorageAddresses("http://portal", ()), Bandwidth())
    stored = StoredObject(dripping.url, 100_000)
    with pytest.raises(FetchFailed, match=r"sent only \d+ bytes in") as failed:
        client.read(stored, 100_000, Event(), lambda count: None)
    assert "secret" not in str(failed.value)


def test_an_archive_that_drips_is_given_up(
    dripping: DrippingServer, connections: StorageConnections, cache: Path
) -> None:
    layout = CacheLayout(cache)
    layout.create()
    wanted = WantedBuild(BuildKey("g1", 1), 100_000, "0" * 64, 1, "top", "a.sh", dripping.url, True, 0)
    with PartFile(layout, wanted) as part:
        with pytest.raises(FetchFailed, match=r"sent only \d+ bytes in"):
            download(connections, dripping.url, wanted.size, part, lambda count: None)
        assert part.length < 100_000


def test_a_head_without_end_is_given_up(connections: StorageConnections) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000
    with DrippingServer(interim, b"x") as server, pytest.raises(StorageUnreachable, match="has no end"):
        connections.get(server.url, 0, 99_999)


def test_our_own_bandwidth_limit_is_not_taken_for_slow_storage(storage: StorageServer) -> None:
    """Below the minimum rate for several windows, but storage had sent everything long before."""
    storage.objects["/pack"] = bytes(600)
    connections = StorageConnections(window_seconds=0.2)
    client = StorageClient(connections, StorageAddresses("http://portal", ()), Bandwidth(700))
    assert client.read(StoredObject(storage.presign("/pack"), 600), 600, Event(), lambda count: None) == bytes(600)


def test_a_connection_is_kept_for_the_next_request(
    storage: StorageServer, connections: StorageConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.objects["/pack"] = bytes(range(200))
    opened, create = [], socket.create_connection

    def counted(*arguments: Any, **options: Any) -> socket.socket:
        opened.append(arguments)
        return create(*arguments, **options)

    monkeypatch.setattr(socket, "create_connection", counted)
    client = StorageClient(connections, StorageAddresses("http://portal", ()), Bandwidth())
    stored = StoredObject(storage.presign("/pack"), 200)
    for start in (0, 50, 100):
        with client.open_range(stored, start, 50, Event(), lambda count: None) as reader:
            view = memoryview(bytearray(50))
            filled = 0
            while filled < 50:
                filled += reader.readinto(view[filled:])
            assert bytes(view) == bytes(range(start, start + 50))
    assert len(opened) == 1


def test_a_connection_with_unread_bytes_is_not_used_again(
    storage: StorageServer, connections: StorageConnections
) -> None:
    storage.objects["/pack"] = bytes(range(200))
    client = StorageClient(connections, StorageAddresses("http://portal", ()), Bandwidth())
    stored = StoredObject(storage.presign("/pack"), 200)
    with client.open_range(stored, 0, 100, Event(), lambda count: None) as reader:
        reader.readinto(memoryview(bytearray(10)))
    assert client.read(stored, 200, Event(), lambda count: None) == bytes(range(200))


class Arrived:
    """Stands for a socket with a complete response. How much a real one has at once is up to the system."""

    def __init__(self, body: bytes) -> None:
        self._sent = b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def makefile(self, *arguments: object) -> io.BytesIO:
        return io.BytesIO(self._sent)


@pytest.mark.parametrize(("bytes_per_second", "expected"), [(None, [4 << 20]), (16 << 20, [2 << 20, 2 << 20])])
def test_one_read_takes_all_that_has_arrived_within_the_bandwidth(
    connections: StorageConnections, bytes_per_second: int | None, expected: list[int]
) -> None:
    http = HTTPResponse(cast("socket.socket", Arrived(bytes(4 << 20))))
    http.begin()
    response = StorageResponse(connections, ("http", "storage", 80), HTTPConnection("storage"), http)
    cancelled, received = Event(), list[int]()
    cancelled.set()  # the limit does not wait
    view = memoryview(bytearray(4 << 20))
    with OpenRange(response, len(view), Bandwidth(bytes_per_second), cancelled, received.append) as opened:
        filled = 0
        while filled < len(view):
            filled += opened.readinto(view[filled:])
    assert received == expected
