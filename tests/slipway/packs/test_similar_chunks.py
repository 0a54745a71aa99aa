"""New content that is like something elsewhere in the older build is sent as the difference."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from slipway.packs.chunk_content import ChunkContent, LocalContent, PackContent
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.making import patch_trials
from slipway.packs.making.build_writing import OlderBuild, make_patch_from_chunks
from slipway.packs.making.cutting import ENTRY_MARKER
from slipway.packs.making.patch_making import make_records
from slipway.packs.making.patch_trials import MIN_SEARCHED_BYTES
from slipway.packs.making.similar_chunks import SimilarChunks
from tests.slipway.packs.builds import Build, BytesSource, install, make_build, patch_between
from tests.slipway.packs.trees import Tree, noise, standing

PICTURES = [noise(100_000, number) for number in range(20)]
SPRITES = [noise(100_000, number) for number in range(30, 33)]
RETOUCHED = PICTURES[3][:60_000] + noise(40_000, 99)
WORDS = [
    "lantern",
    "river",
    "night",
    "quietly",
    "remembers",
    "door",
    "paper",
    "rain",
    "under",
    "old",
    "bridge",
    "never",
    "again",
]


def archive(pictures: list[bytes]) -> bytes:
    return b"RPA-3.0 0000000000000000 00000000\n" + b"".join(ENTRY_MARKER + picture for picture in pictures)


def script(seed: int) -> str:
    chance = random.Random(seed)
    return "\n".join(f"{number} " + " ".join(chance.choices(WORDS, k=9)) for number in range(8000))


def translated(text: str) -> str:
    return "\n".join(f"{line} (other)" if number % 100 == 0 else line for number, line in enumerate(text.split("\n")))


FIRST = Tree(
    {
        "game/images.rpa": (archive(PICTURES), False),
        "game/sprites.rpa": (archive(SPRITES), False),
        "game/chapter.rpy": (script(1).encode(), False),
    }
)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return make_build(tmp_path_factory.mktemp("first"), FIRST)


def updated(folder: Path, files: dict[str, bytes], first: Build, *, without: str = "") -> tuple[Build, int]:
    """A build with these files beside those of the first, and the bytes of the pack and the patch that bring it there.
    It is installed and compared."""
    kept = {path: file for path, file in FIRST.files.items() if path != without}
    second = make_build(folder, Tree(kept | {path: (content, False) for path, content in files.items()}), 2, first)
    source = BytesSource(second.pack)
    patch = patch_between(first, second)
    install(second, folder / "installed", source, old=first)
    assert standing(folder / "installed") == standing(second.root)
    return second, source.sent + (patch.table.size if patch else 0)


def test_an_inserted_picture_that_shares_a_part_with_a_distant_one(first: Build, tmp_path: Path) -> None:
    pictures = [*PICTURES[:15], RETOUCHED, *PICTURES[15:]]
    _, sent = updated(tmp_path, {"game/images.rpa": archive(pictures)}, first)
    assert 40_000 < sent < 41_000


def test_pictures_that_share_the_larger_part_with_those_in_their_place(first: Build, tmp_path: Path) -> None:
    """The smaller part is looked for elsewhere all the same."""
    pictures = list(PICTURES)
    for number, sprite in enumerate(SPRITES, start=5):
        pictures[2 * number] = PICTURES[2 * number][:60_000] + sprite[:40_000]
    _, sent = updated(tmp_path, {"game/images.rpa": archive(pictures)}, first)
    assert sent < 3_000


def test_a_file_that_was_copied_and_changed(first: Build, tmp_path: Path) -> None:
    text = translated(script(1)).encode()
    _, alone = updated(tmp_path / "alone", {"game/tl/german.rpy": script(2).encode()}, first)
    _, sent = updated(tmp_path / "copied", {"game/tl/german.rpy": text}, first)
    assert sent < alone / 50


def test_a_file_that_was_renamed_and_changed(first: Build, tmp_path: Path) -> None:
    text = translated(script(1)).encode()
    _, sent = updated(tmp_path, {"game/prologue.rpy": text}, first, without="game/chapter.rpy")
    assert sent < 2_000


def test_new_files_that_are_like_each_other_are_sent_once(first: Build, tmp_path: Path) -> None:
    """Also where a changed file is between them."""
    new, changed = script(3), translated(script(1)).encode()
    _, alone = updated(tmp_path / "one", {"game/a.rpy": new.encode(), "game/chapter.rpy": changed}, first)
    files = {"game/a.rpy": new.encode(), "game/chapter.rpy": changed, "game/d.rpy": translated(new).encode()}
    _, sent = updated(tmp_path / "both", files, first)
    assert sent < 1.05 * alone


class CountedContent:
    """Counts the bytes that are read."""

    def __init__(self, content: ChunkContent) -> None:
        self._content = content
        self.bytes = 0

    def read(self, chunk: int) -> memoryview | None:
        view = self._content.read(chunk)
        self.bytes += len(view or b"")
        return view


def test_from_two_packs_only_what_the_newer_build_lacks_is_searched(first: Build, tmp_path: Path) -> None:
    """Both are in storage then. Reading all of them would take longer than the update is worth."""
    text = translated(script(1)).encode()
    second, _ = updated(tmp_path, {"game/prologue.rpy": text}, first, without="game/chapter.rpy")
    old, new = first.written, second.written
    older = OlderBuild(old.index, old.encoded, PackContent(old.index, BytesSource(first.pack)))
    content = CountedContent(PackContent(new.index, BytesSource(second.pack)))
    patch = make_patch_from_chunks(content, new.index, new.encoded, older)
    assert patch
    assert len(patch) < 2_000
    assert content.bytes < 5 * len(text)


def bytes_read_for(first: Build, second: Build) -> int:
    """Of the newer build, while the records of an update to it are made."""
    old, new = first.written.index, second.written.index
    with (
        LocalContent(first.root, old, ChunkPlaces(old)) as before,
        LocalContent(second.root, new, ChunkPlaces(new)) as after,
    ):
        content = CountedContent(after)
        make_records(new, content, old, before, search_kept=True)
    return content.bytes


@pytest.mark.parametrize(
    ("content", "is_searched"),
    [
        (noise(MIN_SEARCHED_BYTES - 1, 50), False),
        (noise(MIN_SEARCHED_BYTES, 50), True),
        (script(2)[:MIN_SEARCHED_BYTES].encode(), True),
    ],
    ids=["little", "enough", "text"],
)
def test_little_new_content_is_not_searched_for(
    first: Build, tmp_path: Path, content: bytes, is_searched: bool
) -> None:
    """What text is compressed to does not count."""
    second, _ = updated(tmp_path, {"game/new.bin": content}, first)
    assert (bytes_read_for(first, second) > 2_000_000) is is_searched


def test_content_with_little_new_in_it_is_not_searched_for(first: Build, tmp_path: Path) -> None:
    """An upgraded program changes in many places, and a patch of it is small."""
    pictures = [picture[:50_000] + b"edit" + picture[50_004:] for picture in PICTURES[:5]] + PICTURES[5:]
    second, sent = updated(tmp_path, {"game/images.rpa": archive(pictures)}, first)
    assert sent < 2_000
    assert bytes_read_for(first, second) < 2_000_000


def test_only_what_the_base_lacks_is_looked_for() -> None:
    marks, new = SimilarChunks().seek(RETOUCHED), SimilarChunks().seek(RETOUCHED, PICTURES[3])
    assert set(new) < set(marks)
    assert 0.3 < len(new) / len(marks) < 0.5


def test_no_more_than_32_mib_are_looked_for() -> None:
    similar = SimilarChunks()
    sought = [bool(similar.seek(noise(8 * 2**20, number))) for number in range(5)]
    assert sought == [True, True, True, True, False]


def test_a_search_stops_when_it_is_told_to(first: Build) -> None:
    similar, index = SimilarChunks(), first.written.index
    marks = similar.seek(RETOUCHED)

    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    with LocalContent(first.root, index, ChunkPlaces(index)) as content, pytest.raises(Stopped):
        similar.search(content, ((chunk, chunk) for chunk in range(index.chunk_count)), stop)
    assert list(similar.found(marks)) == []


def test_a_lost_pack_is_read_once() -> None:
    class LostContent:
        reads = 0

        def read(self, chunk: int) -> None:
            self.reads += 1

    similar, lost = SimilarChunks(), LostContent()
    marks = similar.seek(RETOUCHED)
    similar.search(lost, ((chunk, chunk) for chunk in range(20)))
    assert lost.reads == 1
    assert list(similar.found(marks)) == []


class SmallFiles:
    """The content of an old build whose files have 600 bytes each."""

    def __init__(self, content: bytes) -> None:
        self._files = [content[start : start + 600] for start in range(0, len(content), 600)]
        self.numbers = range(len(self._files))

    def read(self, chunk: int) -> memoryview:
        return memoryview(self._files[chunk])


def test_a_build_of_very_small_files_is_found_in_seconds() -> None:
    """A hostile one: thousands of files, each with marks of one new file of 8 MiB."""
    content, similar = noise(8 * 2**20, 7), SimilarChunks()
    files = SmallFiles(content)
    marks = similar.seek(content)
    similar.search(files, ((chunk, chunk) for chunk in files.numbers))
    began = time.process_time()
    found = list(similar.found(marks))
    assert len(found) > 7_000
    assert time.process_time() - began < 10, "each that is found makes the next one slower"


@pytest.mark.parametrize("limit", ["MAX_TRIED_BASE_BYTES", "MAX_TRIED_PIECES"])
@pytest.mark.parametrize("most", [0, 2**30])
def test_only_so_many_pieces_are_tried_beside_only_so_many_old_bytes(
    first: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    """What is not tried comes with the pack."""
    monkeypatch.setattr(patch_trials, limit, most)
    _, sent = updated(tmp_path, {"game/chapter.rpy": translated(script(1)).encode()}, first)
    assert (sent > 20_000) is (most == 0)
