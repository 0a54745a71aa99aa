"""What stays out of a folder's archive: the default list, `.slipwayignore` and `--ignore`."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.directory_tree import read_tree
from slipway.cli.push.ignore_patterns import DEFAULT_PATTERNS, IgnorePatterns
from tests.slipway.cli.cli_process import Slipway
from tests.slipway.cli.game_folders import game_folder

FILES = (
    "a.psd",
    "art/b.psd",
    "art/deep/c.psd",
    "cache/x",
    "game/cache/y",
    "game/cache.rpy",
    "docs/a.txt",
    "game/docs/b.txt",
    "build",
    "notes #1.txt",
    "file[1].txt",
    "file1.txt",
)


def excluded(*patterns: str) -> set[str]:
    """The files of FILES that stay out; a folder that stays out takes its files along."""
    rules = IgnorePatterns(patterns)

    def stays_out(path: str) -> bool:
        parts = path.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        return any(rules.excludes(folder, is_folder=True) for folder in above) or rules.excludes(path, is_folder=False)

    return {path for path in FILES if stays_out(path)}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["*.psd"], {"a.psd", "art/b.psd", "art/deep/c.psd"}),
        (["/*.psd"], {"a.psd"}),
        (["art/*.psd"], {"art/b.psd"}),
        (["art/**/*.psd"], {"art/b.psd", "art/deep/c.psd"}),
        (["art/**"], {"art/b.psd", "art/deep/c.psd"}),
        (["**/deep"], {"art/deep/c.psd"}),
        (["cache"], {"cache/x", "game/cache/y"}),
        (["/cache"], {"cache/x"}),
        (["cache/"], {"cache/x", "game/cache/y"}),
        (["build/"], set()),  # a file
        (["docs", "!docs/a.txt"], {"docs/a.txt", "game/docs/b.txt"}),  # its folder stays out
        (["docs/*", "!docs/a.txt"], set()),
        (["*.psd", "!b.psd"], {"a.psd", "art/deep/c.psd"}),
        (["!b.psd", "*.psd"], {"a.psd", "art/b.psd", "art/deep/c.psd"}),
        (["file?.txt"], {"file1.txt"}),
        (["file[0-9].txt"], {"file1.txt"}),
        (["file[!0-9].txt"], set()),
        ([r"file\[1\].txt"], {"file[1].txt"}),
        (["cache.rpy   "], {"game/cache.rpy"}),
        (["file("], set()),
        (["[abc"], set()),
    ],
)
def test_patterns_are_those_of_gitignore(patterns: list[str], expected: set[str]) -> None:
    assert excluded(*patterns) == expected


def test_the_default_list() -> None:
    rules = IgnorePatterns(DEFAULT_PATTERNS)
    names = (".git", ".DS_Store", "Thumbs.db", "__MACOSX", "._icon", "game/.DS_Store", "game/images/Thumbs.db")
    assert all(rules.excludes(name, is_folder=False) for name in names)
    assert not any(rules.excludes(name, is_folder=False) for name in (".gitignore", "game/thumbs.rpy", "game/git"))


def test_the_file_of_a_folder_and_the_option(tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    (folder / ".slipwayignore").write_text("# notes of the artists\n\n*.psd\n!/keep.psd\n!.DS_Store\n")
    for name in ("a.psd", "keep.psd", "game/b.psd", "game/c.log", ".DS_Store"):
        (folder / name).touch()
    assert read_tree(folder, ["*.log"]).excluded == [".slipwayignore", "a.psd", "game/b.psd", "game/c.log"]


@pytest.mark.parametrize("pattern", ["", "/", "!", "[z-a]"])
def test_a_pattern_that_is_none_is_named(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(CommandError, match=r"is not a pattern") as refused:
        read_tree(game_folder(tmp_path), [pattern])
    assert refused.value.code is ExitCode.USAGE


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    (folder / ".slipwayignore").write_bytes(b"\xff\xfe*\x00")
    with pytest.raises(CommandError, match=r"\.slipwayignore cannot be read: it is not UTF-8"):
        read_tree(folder)


@pytest.mark.slow
def test_what_is_ignored_is_not_sent(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    before = slipway("push", folder, slug, "--dry-run", "--json").result["checksum"]
    (folder / "game" / "scene.psd").write_bytes(b"layers")
    (folder / ".slipwayignore").write_text("*.psd\n")
    (folder / "notes.txt").touch()
    pushed = slipway("push", folder, slug, "--ignore", "/notes.txt", "--json").result
    assert pushed["leftOut"] == [".slipwayignore", "game/scene.psd", "notes.txt"]
    assert slipway("builds", slug, "--json").result["builds"][0]["checksum"] == before


@pytest.mark.slow
def test_the_option_is_for_folders(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").touch()
    refused = slipway("push", tmp_path / "a.tar.gz", slug, "--ignore", "*.psd")
    assert refused.code == ExitCode.USAGE
    assert "--ignore is for folders" in refused.err


@pytest.mark.timeout(60)  # with backtracking, each takes years
@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 40 + "b", "a" * 250),
        ("**/a/" * 30 + "b", "a/" * 60 + "c"),
        ("[ab]*?*" * 30 + "c", "ab" * 120),
        ("**/*a*a*a*a/" * 20 + "b", f"{'a' * 60}/" * 15 + "c"),
    ],
)
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    assert not IgnorePatterns([pattern]).excludes(path, is_folder=False)
    assert IgnorePatterns([pattern]).excludes(path.rstrip("c") + "aaaabb", is_folder=False) in {True, False}


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*ab*ab", "abab", True),
        ("*ab*ab", "aab", False),
        ("a*?*b", "ab", False),
        ("**/a/b/**/a/c", "a/b/a/b/a/c", True),
        ("**/a/**/a", "a", False),
        ("a/**/b", "a/b", True),
        ("a/**/b/**", "a/x/b/y/b", True),
        ("a/**/b/**", "a/b", False),
    ],
)
def test_stars_meet_names_that_repeat(pattern: str, path: str, *, matches: bool) -> None:
    assert IgnorePatterns([pattern]).excludes(path, is_folder=False) is matches
