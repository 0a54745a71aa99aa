"""The storage that `make run` brings keeps what it acknowledged through kills and moves, and leaves nothing running."""

from __future__ import annotations

import io
import os
import shutil
import socket
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from minio import Minio

from app.storage.embedded_server import BUCKET, EmbeddedStorage, EmbeddedStorageError, StorageAccess
from tests.app.runtime.processes import is_alive, read_line, wait_until

pytestmark = pytest.mark.slow

BODY = os.urandom(300_000)


def client(access: StorageAccess) -> Minio:
    return Minio(
        urlsplit(access.endpoint).netloc,
        access_key=access.access_key,
        secret_key=access.secret_key,
        secure=False,
        region=access.region,
    )


def put(access: StorageAccess, key: str, body: bytes = BODY) -> None:
    client(access).put_object(access.bucket, key, io.BytesIO(body), len(body))


def get(access: StorageAccess, key: str) -> bytes:
    with client(access).get_object(access.bucket, key) as answer:
        return bytes(answer.read())


def pid_of(storage: EmbeddedStorage) -> int:
    assert storage.process is not None
    return storage.process.pid


def test_what_was_put_is_there_after_a_stop_and_a_start_at_the_same_address(tmp_path: Path) -> None:
    storage = EmbeddedStorage(tmp_path / "storage")
    with storage as access:
        assert access.bucket == BUCKET
        put(access, "a/b")
        pid = pid_of(storage)
    assert not is_alive(pid)
    with EmbeddedStorage(tmp_path / "storage") as again:
        assert again == access
        assert get(again, "a/b") == BODY


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    storage = EmbeddedStorage(tmp_path / "storage")
    try:
        access = storage.start()
        put(access, "kept")
        assert storage.process is not None
        storage.process.kill()
        storage.process.wait()
        assert get(storage.start(), "kept") == BODY
    finally:
        storage.stop()


def test_a_moved_folder_works_and_writes_only_where_it_is_now(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "odd name?#%20é" / "after"
    with EmbeddedStorage(before) as access:
        put(access, "old")
    after.parent.mkdir()
    before.rename(after)
    with EmbeddedStorage(after) as access:
        assert get(access, "old") == BODY
        put(access, "new")
        assert get(access, "new") == BODY
    assert not before.exists()


def test_a_copy_runs_beside_the_original_at_another_address(tmp_path: Path) -> None:
    with EmbeddedStorage(tmp_path / "original") as access:
        put(access, "shared")
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    with EmbeddedStorage(tmp_path / "original") as one, EmbeddedStorage(tmp_path / "copy") as other:
        assert one.endpoint != other.endpoint
        put(one, "mine")
        assert [found.object_name for found in client(other).list_objects(BUCKET)] == ["shared"]


def test_a_format_that_was_cut_short_is_thrown_away(tmp_path: Path) -> None:
    unfinished = tmp_path / "storage" / "unfinished-abc"
    (unfinished / "data").mkdir(parents=True)
    (unfinished / "meta.db").write_bytes(b"half")
    with EmbeddedStorage(tmp_path / "storage") as access:
        put(access, "a")
        assert get(access, "a") == BODY
    assert not unfinished.exists()


def test_a_deleted_object_gives_its_disk_space_back(tmp_path: Path) -> None:
    def used() -> int:
        sizes = 0
        for path in (tmp_path / "storage").rglob("chunks/**/*_*"):
            with suppress(FileNotFoundError):  # it goes while we look
                sizes += path.stat().st_size
        return sizes

    with EmbeddedStorage(tmp_path / "storage") as access:
        empty = used()
        put(access, "big", os.urandom(12 * 1024**2))
        assert used() - empty >= 12 * 1024**2
        client(access).remove_object(BUCKET, "big")
        wait_until(lambda: used() - empty < 1024**2, 30, "the blocks of a deleted object are gone")


def test_its_secret_is_in_a_file_for_the_owner_only_and_in_no_command_line(tmp_path: Path) -> None:
    storage = EmbeddedStorage(tmp_path / "storage")
    with storage as access:
        assert access.secret_key not in " ".join(psutil.Process(pid_of(storage)).cmdline())
    assert access.secret_key not in repr(access)
    assert stat.S_IMODE((tmp_path / "storage" / "credentials").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "storage").stat().st_mode) == 0o700
    assert access.secret_key not in (tmp_path / "storage" / "gateway.log").read_text()


def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    storage = EmbeddedStorage(tmp_path / "storage")
    with storage:
        listening = [c.laddr for c in psutil.Process(pid_of(storage)).net_connections() if c.status == "LISTEN"]
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_a_given_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        storage = EmbeddedStorage(tmp_path / "storage", port=port)
        with pytest.raises(EmbeddedStorageError, match=f"{port}: the port is in use"):
            storage.start()
    assert storage.process is None


def test_a_port_of_last_time_that_is_taken_now_is_left_for_another(tmp_path: Path) -> None:
    with EmbeddedStorage(tmp_path / "storage") as access:
        port = urlsplit(access.endpoint).port
        put(access, "a")
    with socket.create_server(("127.0.0.1", port or 0)), EmbeddedStorage(tmp_path / "storage") as elsewhere:
        assert urlsplit(elsewhere.endpoint).port != port
        assert get(elsewhere, "a") == BODY


def test_a_volume_that_cannot_be_read_is_said_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "storage" / "volume").mkdir(parents=True)
    (tmp_path / "storage" / "volume" / "meta.db").write_bytes(b"not a database, but long enough to be read" * 100)
    with pytest.raises(EmbeddedStorageError, match="not a database"):
        EmbeddedStorage(tmp_path / "storage").start()


def test_a_start_that_is_given_up_leaves_nothing_running(tmp_path: Path) -> None:
    def give_up(seconds: float) -> None:
        raise InterruptedError("asked to stop")

    storage = EmbeddedStorage(tmp_path / "storage", wait=give_up)
    with pytest.raises(InterruptedError):
        storage.start()
    assert not is_alive(pid_of(storage))


OWNER = """
import sys
from contextlib import suppress
from pathlib import Path
from app.storage.embedded_server import EmbeddedStorage
storage = EmbeddedStorage(Path(sys.argv[1]))
storage.start()
print(storage.process.pid, flush=True)
storage.process.wait()
"""


def test_it_does_not_outlive_its_owner_and_starts_again_after(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path / "storage")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        gateway = int(read_line(owner, deadline=40))
        assert is_alive(gateway)
        owner.kill()
    wait_until(lambda: not is_alive(gateway), 30, "the gateway ended with its owner")
    with EmbeddedStorage(tmp_path / "storage") as access:
        put(access, "a")
