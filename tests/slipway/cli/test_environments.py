"""Environments as CI machines have them: closed or full output, other encodings, no home, no folder to write to. The
command works, or ends with a sentence; it never ends with a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.cli.exit_codes import ExitCode
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import World
from tests.game_archives import big_archive, game_archive
from tests.slipway.cli.cli_process import COMMAND, ROOT, Ended, Slipway, ended
from tests.slipway.cli.game_folders import game_folder
from tests.slipway.cli.storage_proxy import StorageLine

pytestmark = pytest.mark.slow

# Neither can be created, by root either.
NOWHERE = "/proc/slipway-has-no-such-folder"


def in_a_shell(slipway: Slipway, script: str, *arguments: object) -> Ended:
    """Run a shell script that starts the command as `"$@"`."""
    done = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, *map(str, arguments)],
        cwd=ROOT,
        env=slipway.variables(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def targz(tmp_path: Path) -> Path:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(game_archive())
    return path


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_closed_streams(
    slipway: Slipway, world: World, slug: str, targz: Path, closed: str, options: tuple[str, ...]
) -> None:
    done = in_a_shell(slipway, f'"$@" {closed}', "push", targz, slug, *options)
    assert done.code == ExitCode.OK
    assert len(world.builds(slug)) == 1  # the archive was not written over by what the command prints
    assert targz.read_bytes() == game_archive()


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_closed_standard_input_is_no_archive(slipway: Slipway, slug: str, options: tuple[str, ...]) -> None:
    done = in_a_shell(slipway, '"$@" <&-', "push", "-", slug, *options)
    assert done.code == ExitCode.REFUSED_ARCHIVE
    assert "The file is empty" in done.out + done.err


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_full_disk(slipway: Slipway, options: tuple[str, ...]) -> None:
    done = in_a_shell(slipway, '"$@" > /dev/full', "games", *options)
    assert (done.code, done.err) == (ExitCode.UNEXPECTED, "slipway: No space left on device.\n")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_reader_that_has_gone(slipway: Slipway, targz: Path, slug: str, options: tuple[str, ...]) -> None:
    done = in_a_shell(slipway, '{ "$@"; echo "code $?" >&2; } | true', "push", targz, slug, *options)
    # Where nothing was written after the reader ended, the push succeeds.
    assert done.err.splitlines()[-1] in {"code 0", "code 1"}


ENCODINGS = [
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
]


@pytest.mark.parametrize(
    "variables", ENCODINGS, ids=lambda variables: ",".join(f"{k}={v}" for k, v in variables.items())
)
def test_terminals_without_unicode(
    slipway: Slipway, world: World, slug: str, tmp_path: Path, variables: dict[str, str | None]
) -> None:
    folder = game_folder(tmp_path, name="Straße-日本")
    (folder / "game" / "日本語.rpy").touch()
    (folder / "game" / "link").symlink_to("日本語.rpy")
    (folder / "game" / "._日本語.rpy").touch()
    expected = slipway("push", folder, slug, "--dry-run", "--json").result["checksum"]
    elsewhere = slipway.but(**variables)
    pushed = in_a_shell(elsewhere, '"$@"', "push", folder, slug, "--note", "祭り", "--version-label", "β")
    assert (pushed.code, pushed.out) == (ExitCode.OK, "Build 1 is live.\n"), pushed
    found = slipway("builds", slug, "--json").result["builds"][0]
    assert (found["checksum"], found["note"], found["versionLabel"]) == (expected, "祭り", "β")
    assert found["fileName"] == "Straße-日本.tar.gz"
    for command in ("status", "builds", "releases", "games"):
        assert in_a_shell(elsewhere, '"$@"', command, slug).code in {ExitCode.OK, ExitCode.USAGE}
    assert in_a_shell(elsewhere, '"$@"', "status", slug, "--json").code == ExitCode.OK


def test_a_push_needs_no_folder_to_write_to(slipway: Slipway, world: World, slug: str, tmp_path: Path) -> None:
    """A container with a read-only home."""
    nowhere = slipway.but(XDG_CONFIG_HOME=NOWHERE, XDG_CACHE_HOME=NOWHERE, HOME=NOWHERE)
    folder = game_folder(tmp_path)
    pushed = in_a_shell(nowhere, '"$@"', "push", folder, slug, "--if-changed")
    assert pushed.code == ExitCode.OK, pushed
    assert f"If this push is interrupted, it starts again: {NOWHERE} cannot be written" in pushed.err
    again = in_a_shell(nowhere, '"$@"', "push", folder, slug, "--if-changed")
    assert again.out == "Nothing changed since build 1. Build 1 is live.\n"
    assert len(world.builds(slug)) == 1


def test_an_interrupted_push_does_not_promise_what_it_cannot_keep(
    slipway: Slipway, slug: str, line: StorageLine, tmp_path: Path
) -> None:
    path = tmp_path / "large.tar.gz"
    path.write_bytes(big_archive(20 * 1024**2))
    line.hold_after(2 * 1024**2)
    pushing = slipway.but(XDG_CONFIG_HOME=NOWHERE).begin("push", path, slug, "--json")
    wait_until(lambda: line.holding, 90, "the upload is under way")
    pushing.send_signal(signal.SIGINT)
    assert ended(pushing).result["message"] == "Interrupted. Push again: it starts from the beginning."


def test_a_config_that_is_no_folder(slipway: Slipway, slug: str, targz: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wrong = slipway.but(XDG_CONFIG_HOME=str(tmp_path / "file"))
    assert in_a_shell(wrong, '"$@"', "push", targz, slug).code == ExitCode.OK
    assert in_a_shell(wrong.but(SLIPWAY_KEY=None), '"$@"', "games").code == ExitCode.UNAUTHORIZED
    login = in_a_shell(wrong.but(SLIPWAY_KEY=None), f'echo {slipway.environment["SLIPWAY_KEY"]} | "$@"', "login")
    assert login.code == ExitCode.UNEXPECTED
    assert "cannot be written" in login.err


# As in a container whose user is in no passwd file.
HOMELESS = (
    sys.executable,
    "-c",
    "import pwd, runpy\n"
    "def unknown(uid): raise KeyError(uid)\n"
    "pwd.getpwuid = unknown\n"
    "runpy.run_module('slipway.cli', run_name='__main__', alter_sys=True)",
)


def test_a_user_without_a_home(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    homeless = slipway.but(HOME=None, XDG_CONFIG_HOME=None, XDG_CACHE_HOME=None)
    folder = game_folder(tmp_path)
    pushed = homeless("push", folder, slug, command=HOMELESS)
    assert (pushed.code, pushed.out) == (ExitCode.OK, "Build 1 is live.\n"), pushed
    assert "This user has no home folder" in pushed.err
    for command in ("games", "logout"):
        refused = homeless.but(SLIPWAY_KEY=None)(command, command=HOMELESS)
        assert refused.code == ExitCode.UNEXPECTED
        assert refused.err == "slipway: This user has no home folder. Set HOME, or set XDG_CONFIG_HOME to a folder.\n"


def test_a_folder_for_temporary_files_that_is_none(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    refused = in_a_shell(slipway.but(TMPDIR=NOWHERE), '"$@"', "push", game_folder(tmp_path), slug)
    assert refused.code == ExitCode.USAGE
    assert f"TMPDIR is {NOWHERE}, which is not a folder" in refused.err


def test_an_error_of_the_system_is_in_the_json_too(slipway: Slipway, slug: str, targz: Path) -> None:
    slipway("push", targz, slug)
    done = in_a_shell(slipway, '"$@"', "download", slug, "-o", f"{NOWHERE}/a.tar.gz", "--json")
    assert done.code == ExitCode.UNEXPECTED
    assert done.result["error"] == "unexpected"
    assert NOWHERE in done.result["message"]
