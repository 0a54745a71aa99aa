"""SeaweedFS, a second kind of S3-compatible storage: a real server in one process, with identities of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from contextlib import suppress
from functools import partial
from pathlib import Path

from app.config.storage_settings import StorageSettings
from app.process.shutdown import die_with_parent
from app.storage.bucket import Bucket, StorageError
from app.storage.upload_identity import put_only_policy
from tests.app.runtime.processes import free_port, wait_until

BUCKET = "builds"
ROOT = ("root", "root-secret-0123456789")
UPLOAD = ("upload", "upload-secret-0123456789")
_PORTS = ("master.port", "volume.port", "filer.port", "s3.port")


class SeaweedFS:
    """One server over one folder, as docs/storage.md says to set it up."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "weed.log"
        identities = directory / "identities.json"
        identities.write_text(json.dumps(_identities()))
        ports = {name: free_port() for each in _PORTS for name in (each, f"{each}.grpc")}
        command = [
            *(str(Path(sysconfig.get_path("scripts"), "weed")), "-logtostderr", "server"),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={directory}", "-master.volumeSizeLimitMB=64"),
            "-volume.max=100",  # each bucket has volumes of its own
            *("-filer", "-s3", f"-s3.config={identities}", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            *(f"-{name}={port}" for name, port in ports.items()),
        ]
        self.endpoint = f"http://127.0.0.1:{ports['s3.port']}"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                env={"PATH": os.defpath, "HOME": str(directory), "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )

    def settings(self, *, upload: tuple[str, str] | None) -> StorageSettings:
        """As the app has them, with or without an identity for uploads."""
        where = (*ROOT, BUCKET, "us-east-1", self.endpoint, self.endpoint)
        return StorageSettings(self.endpoint, *where, *(upload or (None, None)))

    def wait(self) -> None:
        """Until it takes an object: its S3 face is there before its volumes are."""
        bucket = Bucket(self.settings(upload=None))
        wait_until(partial(self._answers, bucket), 90, f"SeaweedFS answers; its log is {self.log}")

    def _answers(self, bucket: Bucket) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        with suppress(StorageError):
            bucket.make()
            transfer = bucket.start_multipart("ready")
            bucket.put_part("ready", transfer, 1, [b"ready"])
            bucket.abort_multipart("ready", transfer)
            return True
        return False

    def stop(self) -> None:
        self.process.kill()  # asked politely, it first lets its clients go for ten seconds
        self.process.wait()


def _identities() -> dict[str, object]:
    """One that may do everything, and one with the policy that docs/storage.md has for the second."""
    policy = {"name": "put-only", "content": json.dumps(put_only_policy(BUCKET))}
    root = {"name": "root", "credentials": [_keys(ROOT)], "actions": ["Admin", "Read", "List", "Tagging", "Write"]}
    upload = {"name": "upload", "credentials": [_keys(UPLOAD)], "policyNames": ["put-only"]}
    return {"policies": [policy], "identities": [root, upload]}


def _keys(pair: tuple[str, str]) -> dict[str, str]:
    return {"accessKey": pair[0], "secretKey": pair[1]}
