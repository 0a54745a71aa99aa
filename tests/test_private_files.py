"""The instance folder is its owner's alone, whatever it was like before."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from app.config import SettingsError, load_settings
from tests.conftest import ROOT
from tests.file_modes import mode_of, open_to_others


def load(instance: Path) -> None:
    load_settings({"SLIPWAY_INSTANCE": str(instance)})


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """An instance as an older version, or a backup that was put back, leaves it: everything open."""
    instance = tmp_path / "instance"
    for folder in ("", "logs", "storage", "storage/volume", "storage/volume/data", "servers", "servers/srv-01"):
        (instance / folder).mkdir()
        (instance / folder).chmod(0o755)
    for name in (
        *("secret_key", "demo.json", "queue.db", "receiving.lock", "logs/web.log", "logs/web.log.1"),
        *("storage/credentials", "storage/port", "storage/gateway.log", "storage/volume/meta.db"),
        *("servers/srv-01/start.sh", "storage/volume/data/block"),
    ):
        (instance / name).write_text("kept secret")
        (instance / name).chmod(0o644)
    (instance / "storage" / "credentials").write_text('{"accessKey": "a", "secretKey": "b"}')
    (instance / "storage" / "port").write_text("9000")
    return instance


def test_what_an_older_version_left_open_is_closed_at_start(older: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(sqlite3.connect(older / "slipway.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (x)")
        for name in ("slipway.db", "slipway.db-wal", "slipway.db-shm"):
            (older / name).chmod(0o664)

        with caplog.at_level(logging.WARNING):
            load(older)

        of_sqlite = ("slipway.db", "slipway.db-wal", "slipway.db-shm")
        for name in (*of_sqlite, "secret_key", "demo.json", "storage/credentials", "logs/web.log"):
            assert mode_of(older / name) == 0o600, name
        for folder in (".", "logs", "storage", "storage/volume", "storage/volume/data", "servers"):
            assert mode_of(older / folder) == 0o700, folder
        assert open_to_others(older) == {}
    assert len(caplog.records) == 1  # one line, whatever there was
    assert "was open to others" in caplog.text
    assert "slipway.db" in caplog.text

    caplog.clear()
    load(older)
    assert caplog.records == []


def test_a_program_of_a_server_stays_one(older: Path) -> None:
    program = older / "servers" / "srv-01" / "start.sh"
    program.chmod(0o755)
    load(older)
    assert mode_of(program) == 0o755  # nobody gets there: the folder above is closed
    assert mode_of(older / "servers") == 0o700


def test_files_that_are_not_ours_keep_their_modes(older: Path) -> None:
    (older / "notes.txt").write_text("the operator's own")
    (older / "notes.txt").chmod(0o644)
    load(older)
    assert mode_of(older / "notes.txt") == 0o644


def test_what_a_link_leads_to_is_left_alone(older: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    elsewhere.touch(0o644)
    elsewhere.chmod(0o644)
    (older / "other.db").symlink_to(elsewhere)
    load(older)
    assert mode_of(elsewhere) == 0o644


def test_a_folder_that_everybody_shares_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(SettingsError, match=r"SLIPWAY_INSTANCE=.*everybody shares.*of its own"):
        load(shared)
    assert mode_of(shared) == 0o1777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_what_cannot_be_closed_stops_the_start() -> None:
    """The folder is another user's."""
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from app.private_files import SettingsError, make_private\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: make_private(Path(sys.argv[1]))\n"
        "except SettingsError as error: print(error)\n"
    )
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="slipway-instance-") as folder:  # nobody gets into pytest's
        Path(folder).chmod(0o755)
        ended = subprocess.run(
            [sys.executable, "-c", script, folder], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert f"{folder} is open to others (mode 0755) and cannot be closed to them" in ended.stdout
        assert f"chmod go= {folder}" in ended.stdout


def test_files_of_a_new_instance_are_private_from_their_first_byte(tmp_path: Path) -> None:
    """With the usual umask of a shell, as `flask` commands and gunicorn's workers begin."""
    instance = tmp_path / "instance"
    environment = {"PATH": os.environ["PATH"], "SLIPWAY_INSTANCE": str(instance)}
    before = os.umask(0o022)
    try:
        subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            check=True,
        )
    finally:
        os.umask(before)
    assert (instance / "slipway.db").exists()
    assert open_to_others(instance) == {}
    assert {mode_of(path) for path in instance.iterdir() if path.is_file()} == {0o600}
