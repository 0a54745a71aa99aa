"""Signals as the command inherits them: what its caller ignores, it ignores."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from slipway.cli.exit_codes import ExitCode
from tests.app.runtime.processes import wait_until
from tests.game_archives import big_archive
from tests.slipway.cli.cli_process import Slipway, ended
from tests.slipway.cli.storage_proxy import StorageLine

pytestmark = pytest.mark.slow

MIB = 1024**2


def ignoring(which: signal.Signals) -> tuple[str, ...]:
    """The command as a shell's background job or `nohup` starts it."""
    script = (
        f"import os, signal, sys; signal.signal({int(which)}, signal.SIG_IGN);"
        "os.execv(sys.executable, [sys.executable, '-m', 'slipway.cli', *sys.argv[1:]])"
    )
    return (sys.executable, "-c", script)


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_the_caller_ignores_is_ignored(
    slipway: Slipway, slug: str, line: StorageLine, tmp_path: Path, which: signal.Signals
) -> None:
    path = tmp_path / "large.tar.gz"
    path.write_bytes(big_archive(20 * MIB))
    line.hold_after(2 * MIB)
    pushing = slipway.begin("push", path, slug, "--json", command=ignoring(which))
    wait_until(lambda: line.holding, 90, "the upload is under way")
    pushing.send_signal(which)
    line.release()
    pushed = ended(pushing)
    assert (pushed.code, pushed.result["reached"]) == (ExitCode.OK, "released"), pushed


def test_the_other_signal_still_interrupts(slipway: Slipway, slug: str, line: StorageLine, tmp_path: Path) -> None:
    """The way to end a push in the background."""
    path = tmp_path / "large.tar.gz"
    path.write_bytes(big_archive(20 * MIB))
    line.hold_after(2 * MIB)
    pushing = slipway.begin("push", path, slug, "--json", command=ignoring(signal.SIGINT))
    wait_until(lambda: line.holding, 90, "the upload is under way")
    pushing.send_signal(signal.SIGTERM)
    interrupted = ended(pushing)
    assert interrupted.code == ExitCode.INTERRUPTED
    assert "push again to continue" in interrupted.result["message"]
