"""The real `flask` program in a process of its own: what it says when it cannot start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def flask(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("S3_", "SLIPWAY_", "FLASK_"))}
    return subprocess.run(
        [sys.executable, "-m", "flask", *words],
        cwd=ROOT,
        env=kept | variables,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_a_setting_that_cannot_be_used_is_one_plain_line(tmp_path: Path) -> None:
    ended = flask("partner", "create", "Kite Works", SLIPWAY_INSTANCE=str(tmp_path), SLIPWAY_API_RATE="often")

    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Slipway did not start: SLIPWAY_API_RATE='often' is not a rate.")


@pytest.mark.slow
def test_what_needs_storage_says_so_where_none_is_set(tmp_path: Path) -> None:
    migrated = flask("db", "upgrade", SLIPWAY_INSTANCE=str(tmp_path))
    assert migrated.returncode == 0, migrated.stderr

    for command in ("check", "worker"):
        ended = flask(command, SLIPWAY_INSTANCE=str(tmp_path))

        assert ended.returncode == 1
        assert "S3_ENDPOINT is not set" in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_database_that_does_not_answer_is_one_plain_line_without_the_password(tmp_path: Path) -> None:
    address = "postgresql://slipway:hidden-secret@127.0.0.1:1/slipway"

    ended = flask("partner", "create", "Kite Works", SLIPWAY_INSTANCE=str(tmp_path), DATABASE_URL=address)

    assert ended.returncode == 1
    assert "The database could not be used" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hidden-secret" not in ended.stderr
