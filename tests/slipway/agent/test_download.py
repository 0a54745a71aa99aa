"""Fetching bytes from a real server that tears, refuses, ignores ranges and lies about sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.download import FetchFailed, UrlRejected, download
from slipway.agent.cache.part_file import PartFile
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import WantedBuild
from slipway.client.storage_connections import StorageConnections
from tests.slipway.agent.sample_games import Game, make_game
from tests.slipway.agent.storage_server import StorageServer

PATH = "/archives/g1/1"


@pytest.fixture(scope="module")
def game() -> Game:
    return make_game(1)


class Downloads:
    """Attempts at one archive, as the agent makes them one after another."""

    def __init__(self, storage: StorageServer, cache: Path, game: Game) -> None:
        storage.objects[PATH] = game.archive
        self.storage = storage
        self.layout = CacheLayout(cache)
        self.layout.create()
        self.wanted = WantedBuild(
            BuildKey("g1", 1), game.size, game.sha256, game.unpacked_bytes, "top", "a.sh", "", True, 0
        )
        self.written: list[int] = []

    def attempt(self) -> None:
        with PartFile(self.layout, self.wanted) as part:
            url = self.storage.presign(PATH)
            download(StorageConnections(), url, self.wanted.size, part, self.written.append)

    @property
    def part(self) -> bytes:
        return self.layout.part(self.wanted.key).read_bytes()


@pytest.fixture
def downloads(storage: StorageServer, cache: Path, game: Game) -> Downloads:
    return Downloads(storage, cache, game)


def test_the_archive_arrives_in_pieces_of_at_most_a_mebibyte(downloads: Downloads, game: Game) -> None:
    downloads.attempt()
    assert downloads.part == game.archive
    assert sum(downloads.written) == game.size
    assert max(downloads.written) <= 1 << 20


def test_a_torn_connection_is_continued_where_it_ended(downloads: Downloads, game: Game) -> None:
    downloads.storage.faults.tear_after = [300_000, 400_000, None]
    for position in ("0.3 of 1.0 MiB", "0.7 of 1.0 MiB"):
        with pytest.raises(FetchFailed, match=position):
            downloads.attempt()
    downloads.attempt()
    assert downloads.part == game.archive
    served = downloads.storage.served
    assert [(request.status, request.start) for request in served] == [(206, 0), (206, 300_000), (206, 700_000)]
    assert downloads.storage.bytes_served == game.size


def test_a_whole_object_in_answer_to_a_range_is_never_appended(downloads: Downloads, game: Game) -> None:
    downloads.storage.faults.tear_after = [300_000]
    with pytest.raises(FetchFailed):
        downloads.attempt()
    downloads.storage.faults.ignore_range = True
    downloads.attempt()
    assert downloads.part == game.archive


def test_bytes_of_another_archive_are_not_continued(downloads: Downloads, game: Game) -> None:
    downloads.layout.part(downloads.wanted.key).write_bytes(b"x" * 5000)
    downloads.attempt()
    assert downloads.part == game.archive
    assert downloads.storage.served[0].start == 0


def test_a_complete_part_asks_storage_for_nothing(downloads: Downloads) -> None:
    downloads.attempt()
    downloads.attempt()
    assert len(downloads.storage.served) == 1


def test_a_wrong_size_is_told_before_the_body_and_nothing_is_kept(downloads: Downloads, game: Game) -> None:
    downloads.storage.faults.announce_size = game.size + 1
    with pytest.raises(FetchFailed, match=f"wrong size: storage has {game.size + 1} bytes, the plan has {game.size}"):
        downloads.attempt()
    assert downloads.part == b""


def test_an_object_shorter_than_the_part_starts_over(downloads: Downloads, game: Game) -> None:
    downloads.storage.faults.tear_after = [900_000]
    with pytest.raises(FetchFailed):
        downloads.attempt()
    downloads.storage.objects[PATH] = game.archive[:500_000]
    with pytest.raises(FetchFailed, match="fewer bytes"):
        downloads.attempt()
    assert downloads.part == b""


def test_an_expired_address_is_told_apart(downloads: Downloads) -> None:
    with PartFile(downloads.layout, downloads.wanted) as part:
        url = downloads.storage.presign(PATH)
        downloads.storage.expire_all()
        with pytest.raises(UrlRejected):
            download(StorageConnections(), url, downloads.wanted.size, part, downloads.written.append)


@pytest.mark.parametrize(("status", "said"), [(404, "no such archive"), (500, "storage answered 500"), (302, "302")])
def test_other_answers_are_told_in_words(downloads: Downloads, status: int, said: str) -> None:
    downloads.storage.faults.statuses = [status]
    with pytest.raises(FetchFailed, match=said):
        downloads.attempt()


def test_storage_that_is_away_is_told_without_its_signed_address(downloads: Downloads) -> None:
    url = "http://127.0.0.1:1/archives/g1/1?X-Amz-Signature=secret"
    with PartFile(downloads.layout, downloads.wanted) as part, pytest.raises(FetchFailed) as failed:
        download(StorageConnections(), url, downloads.wanted.size, part, downloads.written.append)
    assert str(failed.value) == "storage: connection refused"
