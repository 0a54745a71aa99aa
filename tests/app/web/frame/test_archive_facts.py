"""What the page reads from the beginning of an archive: run in Node."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile

import pytest

from tests.app.web.scripts import module, run
from tests.game_archives import add_file, game_archive

READ = f"""
    import {{ readArchiveFacts }} from {module("uploads/archive-facts.js")};
    const bytes = Buffer.from(given, "base64");
    console.log(JSON.stringify(await readArchiveFacts(new File([bytes], "game.tar.gz"))));
"""
TITLES = f"""
    import {{ titleOf }} from {module("uploads/archive-facts.js")};
    console.log(JSON.stringify(given.map(([name, directory]) => titleOf(name, directory))));
"""


def facts(archive: bytes) -> object:
    return run(READ, base64.b64encode(archive).decode())


def packed(*files: tuple[str, int, int]) -> bytes:
    """An archive of files: name, size, mode."""
    unpacked = io.BytesIO()
    with tarfile.open(fileobj=unpacked, mode="w") as tar:
        for name, size, mode in files:
            add_file(tar, name, bytes(size), mode)
    return gzip.compress(unpacked.getvalue(), 1)


def test_the_directory_and_the_executable_script_in_it_are_read() -> None:
    found = {"title": "", "directory": "PaperLanterns-1.0", "launcher": "paper-lanterns.sh", "saveDirectory": ""}
    assert facts(game_archive()) == found


@pytest.mark.parametrize(
    ("name", "mode"),
    [("Game/notes.sh", 0o644), ("Game/lib/start.sh", 0o755), ("start.sh", 0o755), ("Game/a.py", 0o755)],
)
def test_a_file_that_the_server_would_not_start_is_no_launcher(name: str, mode: int) -> None:
    assert facts(packed((name, 10, mode)))["launcher"] == ""  # type: ignore[index]  # a dict


def test_reading_ends_after_some_members_and_some_bytes() -> None:
    launcher = ("Game/game.sh", 10, 0o755)
    many = [(f"Game/{number}", 0, 0o644) for number in range(2000)]
    assert facts(packed(*many[:1999], launcher))["launcher"] == "game.sh"  # type: ignore[index]  # a dict
    assert facts(packed(*many, launcher))["launcher"] == ""  # type: ignore[index]  # a dict
    assert facts(packed(("Game/zeros", 64_000_000, 0o644), launcher))["launcher"] == ""  # type: ignore[index]  # a dict


def test_a_title_is_made_of_the_name() -> None:
    names = {
        ("paper-lanterns-1.2-linux.tar.gz", "x"): "Paper Lanterns",
        ("PaperLanterns-1.0.tgz", "x"): "PaperLanterns",
        ("paper_lanterns-v2.tar.gz", "x"): "Paper Lanterns",
        ("night-ferry-linux-x86_64.tar.gz", "x"): "Night Ferry",
        ("build.tar.gz", "PaperLanterns-1.0-pc"): "Paper Lanterns",
        ("linux.tar.gz", "night-ferry"): "Night Ferry",
        ("build.tar.gz", ""): "Build",
        ("1.2.tar.gz", ""): "1.2",
    }
    assert run(TITLES, list(names)) == list(names.values())
