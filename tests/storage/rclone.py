"""rclone's `serve s3`, a third kind of S3-compatible storage, over a folder."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from contextlib import suppress
from functools import partial
from pathlib import Path

from app.config.storage_settings import StorageSettings
from app.process.shutdown import die_with_parent
from app.storage.bucket import Bucket, StorageError
from tests.app.runtime.processes import free_port, wait_until

BUCKET = "builds"
KEYS = ("root", "root-secret-0123456789")


class Rclone:
    """One server over one folder."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "rclone.log"
        address = f"127.0.0.1:{free_port()}"
        self.endpoint = f"http://{address}"
        data = directory / "data"
        data.mkdir()
        program = str(Path(sysconfig.get_path("scripts"), "rclone"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [program, "serve", "s3", "--config", os.devnull, "--addr", address, "-vv", str(data)],
                cwd=directory,
                env={"PATH": os.defpath, "HOME": str(directory), "RCLONE_AUTH_KEY": f'"{KEYS[0]},{KEYS[1]}"'},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )

    def settings(self) -> StorageSettings:
        where = (*KEYS, BUCKET, "us-east-1", self.endpoint, self.endpoint)
        return StorageSettings(self.endpoint, *where, None, None)

    def wait(self) -> None:
        bucket = Bucket(self.settings())
        wait_until(partial(self._answers, bucket), 60, f"rclone answers; its log is {self.log}")

    def _answers(self, bucket: Bucket) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        with suppress(StorageError):
            bucket.make()
            return True
        return False

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
