"""Packs that storage or the platform spoil: refused chunk by chunk, object by object, with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from slipway.agent.agent_process import Agent
from slipway.agent.cache.bandwidth import Bandwidth
from slipway.agent.cache.build_store import BuildMarker, Inventory
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.download import FetchFailed, UrlRejected
from slipway.agent.cache.fetch_task import FetchTask
from slipway.agent.packs.assemblies import allocated_bytes
from slipway.agent.packs.fresh_addresses import FreshAddresses
from slipway.agent.packs.index_files import read_index, write_index
from slipway.agent.packs.pack_offer import OfferedIndex, OfferedUpdate, PackOffer, StoredObject
from slipway.agent.packs.storage_client import ObjectRejected, StorageClient
from slipway.agent.packs.update_sources import UpdateSources
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import WantedBuild
from slipway.agent.storage_addresses import AddressRejected, StorageAddresses, parse_storage_hosts
from slipway.client.storage_connections import StorageConnections
from slipway.packs.format.index_transfer import IndexReference
from tests.slipway.agent.packed_games import PackedGame, PackedUpdate, pack_game, transfer_bytes
from tests.slipway.agent.platform_server import Platform
from tests.slipway.agent.raw_server import RawServer
from tests.slipway.agent.sample_games import Game, make_versions
from tests.slipway.agent.storage_server import StorageServer
from tests.slipway.agent.wait_for import wait_for

StartAgent = Callable[..., Agent]


@pytest.fixture(scope="module")
def games() -> tuple[Game, Game]:
    return make_versions(1 << 20)


@pytest.fixture(scope="module")
def packs(games: tuple[Game, Game], tmp_path_factory: pytest.TempPathFactory) -> tuple[PackedGame, PackedGame]:
    folder = tmp_path_factory.mktemp("packs")
    first = pack_game(folder, 1, games[0])
    return first, pack_game(folder, 2, games[1], (1, first))


def publish(platform: Platform, number: int, game: Game, packed: PackedGame) -> None:
    with platform.changed:
        platform.release("g1", number, game)
        platform.publish_pack("g1", number, packed)


def is_cached(platform: Platform, number: int) -> None:
    wait_for(lambda: platform.phase("g1", number) == "cached", f"build {number} cached", seconds=60)


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["delta.1", "patch.1"])
def test_a_spoilt_delta_or_patch_costs_bytes_and_not_the_update(
    name: str,
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    spoilt = replace(packs[1], objects=packs[1].objects | {name: flipped(packs[1].objects[name])})
    assert packs[1].updates[1].patch
    publish(platform, 1, games[0], packs[0])
    start_agent()
    is_cached(platform, 1)
    before = storage.bytes_served
    publish(platform, 2, games[1], spoilt)
    is_cached(platform, 2)
    assert games[1].lies_in(cache / "g1" / "current")
    row = platform.row("g1", 2)
    assert row
    assert row["source"] == {"kind": "update", "from": 1, "fallback": None}
    delta, patch = (packs[1].updates[1].delta, packs[1].updates[1].patch)
    without = PackedUpdate(packs[0], None if name == "delta.1" else delta, None if name == "patch.1" else patch)
    assert storage.bytes_served - before == transfer_bytes(packs[1], without) + len(packs[1].objects[name])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"top_directory": "other-1.0"}, "the plan names 'other-1.0'"), ({"launcher": "renpy"}, "renpy")],
)
def test_a_pack_of_another_game_is_refused(
    changes: dict[str, Any],
    reason: str,
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    """The archive is refused for the same cause then, so the build fails; nothing of the pack was fetched but its
    index."""
    publish(platform, 1, replace(games[0], **changes), packs[0])
    agent = start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed")
    assert [request for request in storage.served if request.path.endswith("/pack")] == []
    row = platform.row("g1", 1)
    assert row
    assert reason in row["source"]["fallback"]
    assert not (cache / "g1").exists()
    assert list(agent.layout.assembling.iterdir()) == []


@pytest.mark.slow
def test_a_refused_pack_is_not_fetched_again_until_somebody_retries(
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    spoilt = replace(packs[0], objects=packs[0].objects | {"index": flipped(packs[0].objects["index"])})
    good = storage.objects
    publish(platform, 1, games[0], spoilt)
    archive = good.pop("/archives/g1/1")
    start_agent()

    def failures() -> int:
        return sum(report["builds"][0]["phase"] == "failed" for report in platform.reports if report["builds"])

    wait_for(lambda: failures() >= 3, "three failed attempts at the archive")
    assert sum(request.path.endswith("/index") for request in storage.served) == 1
    row = platform.row("g1", 1)
    assert row
    assert row["source"]["fallback"].startswith("The index")
    good["/archives/g1/1"] = archive
    good["/packs/g1/1/index"] = packs[0].objects["index"]
    storage.faults.hold_paths = {"/archives/g1/1"}
    platform.retry_now("g1", 1)
    storage.go_on.set()
    is_cached(platform, 1)
    assert games[0].lies_in(cache / "g1" / "current")


@pytest.mark.slow
def test_storage_that_cannot_send_ranges_serves_archives_only(
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    storage.faults.ignore_range = True
    publish(platform, 1, games[0], packs[0])
    start_agent()
    is_cached(platform, 1)
    row = platform.row("g1", 1)
    assert row
    assert row["source"]["fallback"] == "storage ignored the requested range (200)"


@pytest.mark.slow
def test_a_damaged_index_on_disk_is_fetched_again_for_the_next_update(
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    publish(platform, 1, games[0], packs[0])
    start_agent()
    is_cached(platform, 1)
    index = cache / ".slipway/whole/g1.1.index"
    index.write_bytes(flipped(index.read_bytes()))
    publish(platform, 2, games[1], packs[1])
    is_cached(platform, 2)
    row = platform.row("g1", 2)
    assert row
    assert row["source"] == {"kind": "update", "from": 1, "fallback": None}
    assert sum(request.path == "/packs/g1/1/index" for request in storage.served) == 2


def test_an_index_file_is_read_back_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "index"
    assert read_index(path) is None
    write_index(path, b"table")
    assert read_index(path) == b"table"
    assert path.stat().st_mode & 0o777 == 0o600
    for content in (b"", b"short", flipped(path.read_bytes())):
        path.write_bytes(content)
        assert read_index(path) is None


def opened(server: RawServer, answer: bytes, size: int = 100) -> bytes:
    """Bytes 10 to 19 of an object of 100 bytes, as the client reads them from that answer."""
    server.answer = answer
    client = StorageClient(StorageConnections(), StorageAddresses("http://portal", ()), Bandwidth())
    view = memoryview(bytearray(10))
    stored = StoredObject(f"{server.url}/pack?X-Amz-Signature=secret", size)
    with client.open_range(stored, 10, 10, Event(), lambda count: None) as reader:
        filled = 0
        while count := reader.readinto(view[filled:]):
            filled += count
    return bytes(view)


def partial(content_range: str, body: bytes = b"0123456789", status: str = "206 Partial Content") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Range: {content_range}\r\nContent-Length: 10\r\n\r\n"
    return head.encode() + body


CHUNK_BELOW_ZERO = (
    b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-19/100\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n"
) + b"x" * 9000


def test_a_range_is_read_when_it_is_the_one_that_was_asked_for() -> None:
    with RawServer() as server:
        assert opened(server, partial("bytes 10-19/100")) == b"0123456789"


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (partial("bytes 0-9/100"), FetchFailed, "different range"),
        (partial("bytes 10-18/100"), FetchFailed, "different range"),
        (partial("bytes 10-19/*"), FetchFailed, "different range"),
        (partial("bytes 10-19/" + "9" * 4000), FetchFailed, "different range"),
        (partial("x"), FetchFailed, "different range"),
        (partial("bytes 10-19/101"), ObjectRejected, "storage has 101 bytes, the plan names 100"),
        (partial("bytes 10-19/100", b"0123"), FetchFailed, "connection broke"),
        (partial("bytes 10-19/100", status="200 OK"), ObjectRejected, "ignored the requested range"),
        (partial("x", status="403 Forbidden"), UrlRejected, "403"),
        (partial("x", status="404 Not Found"), ObjectRejected, "no such pack"),
        (partial("x", status="416 Range Not Satisfiable"), ObjectRejected, "fewer bytes"),
        (partial("x", status="302 Found"), FetchFailed, "follows no redirects"),
        (partial("x", status="503 Slow Down"), FetchFailed, "storage answered 503"),
        (b"", FetchFailed, "connection broke"),
        (CHUNK_BELOW_ZERO, FetchFailed, "breaks the rules of HTTP"),
    ],
)
def test_any_other_answer_is_refused_with_its_reason(answer: bytes, error: type[Exception], reason: str) -> None:
    with RawServer() as server, pytest.raises(error, match=reason) as raised:
        opened(server, answer)
    assert "secret" not in str(raised.value)


def test_addresses_of_packs_obey_the_rules_of_archives() -> None:
    client = StorageClient(
        StorageConnections(), StorageAddresses("https://portal", parse_storage_hosts("storage.example")), Bandwidth()
    )
    for url in ("http://storage.example/p", "https://elsewhere.example/p", "file:///etc/passwd"):
        with pytest.raises(AddressRejected):
            client.open_range(StoredObject(url, 1), 0, 1, Event(), lambda count: None)


@pytest.mark.parametrize("size", [0, 11])
def test_an_object_of_no_bytes_or_too_many_is_not_even_asked_for(size: int) -> None:
    client = StorageClient(StorageConnections(), StorageAddresses("http://portal", ()), Bandwidth())
    with pytest.raises(ObjectRejected, match=f"{size} bytes, 1 to 10 are allowed"):
        client.read(StoredObject("http://127.0.0.1:1/", size), 10, Event(), lambda count: None)


def offer(name: str, sha256: str = "a" * 64) -> PackOffer:
    index = OfferedIndex(StoredObject(f"{name}/index", 1), IndexReference(sha256, 1))
    return PackOffer(StoredObject(f"{name}/pack", 1), index, ())


class Addresses:
    """FreshAddresses whose plan answers with `offers` in turn, and storage that accepts some of them."""

    def __init__(self, *offers: PackOffer, accepted: str) -> None:
        self._offers = list(offers[1:])
        self._accepted = accepted
        self.fresh = FreshAddresses(offers[0], lambda: self._offers.pop(0))

    def request(self, stored: StoredObject) -> str:
        if stored.url.partition("/")[0] not in self._accepted:
            raise UrlRejected("403")
        return stored.url

    def use(self) -> str:
        return self.fresh.use(lambda picked: picked.stored, self.request)

    def expire(self, accepted: str) -> None:
        self._accepted = accepted


def test_an_address_that_worked_may_expire_again_and_again() -> None:
    addresses = Addresses(offer("a"), offer("b"), offer("c"), accepted="a")
    assert addresses.use() == "a/pack"
    for name in "bc":
        addresses.expire(name)
        assert addresses.use() == f"{name}/pack"


def test_a_new_address_that_is_rejected_at_once_is_not_replaced_for_ever() -> None:
    addresses = Addresses(offer("a"), offer("b"), offer("c"), accepted="")
    with pytest.raises(UrlRejected):
        addresses.use()
    with pytest.raises(UrlRejected):
        addresses.use()
    assert len(addresses._offers) == 1, "asked once"


def test_a_plan_with_another_pack_ends_the_attempt() -> None:
    addresses = Addresses(offer("a"), offer("b", "b" * 64), accepted="b")
    with pytest.raises(FetchFailed, match="another pack"):
        addresses.use()


def test_space_of_an_unfinished_build_counts_once(tmp_path: Path) -> None:
    """Neither holes nor files that are linked with another build's take space of their own."""
    (tmp_path / "older").write_bytes(bytes(50_000))
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "linked").hardlink_to(tmp_path / "older")
    with (tree / "hole").open("wb") as file:
        file.truncate(1 << 30)
    assert allocated_bytes(tree) == 0
    (tree / "written").write_bytes(bytes(range(256)) * 400)
    assert 102_400 <= allocated_bytes(tree) < 200_000


@pytest.mark.parametrize(("sha256", "asked"), [("a" * 64, 1), ("b" * 64, 0)])
def test_the_index_of_other_bytes_with_the_same_number_is_not_used(
    sha256: str, asked: int, tmp_path: Path, storage: StorageServer, packs: tuple[PackedGame, PackedGame]
) -> None:
    """As after a restore of the platform from a backup."""
    layout, key = CacheLayout(tmp_path / "games"), BuildKey("g1", 1)
    layout.create()
    inventory = Inventory(layout)
    (layout.build(key) / "game-1.0").mkdir(parents=True)
    inventory.write_marker(key, BuildMarker("a" * 64, 1, 1, "game-1.0", "game.sh"))
    storage.objects["/index"] = packs[0].objects["index"]
    stored = StoredObject(storage.presign("/index"), len(packs[0].objects["index"]))
    update = OfferedUpdate(1, 1, None, None)
    offered = PackOffer(StoredObject("", 1), OfferedIndex(stored, packs[0].reference), (update,))
    planned = WantedBuild(key, 1, sha256, 1, "game-1.0", "game.sh", "", True, 0, pack=offered)
    task = FetchTask(replace(planned, key=BuildKey("g1", 2)), 1, lambda: planned, lambda key: planned)
    client = StorageClient(StorageConnections(), StorageAddresses("http://portal", ()), Bandwidth())
    sources = UpdateSources(layout, inventory, client)
    with sources.opened(task, update) as source:
        assert (source is not None) == bool(asked)
    assert len(storage.served) == asked
