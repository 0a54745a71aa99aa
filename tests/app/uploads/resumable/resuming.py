"""A client that never gives up, against a web server whose process is killed under it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any, Protocol

import urllib3
from urllib3.exceptions import HTTPError

from tests.app.runtime.processes import is_alive, wait_until
from tests.app.uploads.raw.live import Gunicorn, World

SECONDS = 120.0  # a process that starts on a busy machine takes its time


class Platform:
    """One installation with its web server. `crash_at` lets the process die at a named point, once; gunicorn starts the
    next one by itself."""

    def __init__(self, world: World, folder: Path, **environment: str) -> None:
        self.world = world
        self._file = folder / "crash-at"
        environment |= {"SLIPWAY_APP_CRASH_FILE": str(self._file)}
        self.gunicorn = Gunicorn(world.settings, folder / "gunicorn.log", **environment)
        self.gunicorn.start()

    @property
    def address(self) -> str:
        return self.gunicorn.address

    def crash_at(self, point: str) -> int:
        """Choose the point; returns the pid of the process that will die there."""
        pid = self.gunicorn.worker
        written = self._file.with_suffix(".new")
        written.write_text(point)
        written.rename(self._file)
        return pid

    def kill(self) -> None:
        """End the process that serves, wherever it is; nothing if there is none at the moment."""
        try:
            os.kill(self.gunicorn.worker, signal.SIGKILL)
        except (ProcessLookupError, ValueError):
            return

    def has_crashed(self, pid: int) -> bool:
        return not self._file.exists() and not is_alive(pid)

    def close(self) -> None:
        self.gunicorn.kill()


class Portal(Protocol):
    """Where a client finds the portal, and the installation behind it."""

    world: World

    @property
    def address(self) -> str: ...


class Client:
    """A script with a key that asks again until it has an answer, however often the connection breaks."""

    def __init__(self, platform: Portal, slug: str) -> None:
        self.slug = slug
        self.url = f"{platform.address}/api/partners/games/{slug}"
        self._headers = {"Authorization": f"Bearer {platform.world.key}"}
        self._http = urllib3.PoolManager(retries=False, timeout=20)

    def once(self, method: str, path: str, body: object = None) -> tuple[int, Any] | None:
        """One try: status and JSON, or None when no answer came."""
        try:
            answer = self._http.request(method, self.url + path, headers=self._headers, json=body)
        except HTTPError:
            return None
        return answer.status, json.loads(answer.data) if answer.data else None

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Until there is an answer."""
        answers: list[tuple[int, Any]] = []

        def tried() -> bool:
            answer = self.once(method, path, body)
            if answer is not None:
                answers.append(answer)
            return bool(answers)

        wait_until(tried, SECONDS, f"{method} {path} is answered")
        return answers[0]

    def begin(self, archive: bytes, **fields: object) -> dict[str, Any]:
        status, upload = self.ask("POST", "/uploads", {"fileName": "a.tar.gz", "size": len(archive), **fields})
        assert status == 201, upload
        found: dict[str, Any] = upload
        return found

    def state(self, upload_id: str) -> dict[str, Any]:
        status, upload = self.ask("GET", f"/uploads/{upload_id}")
        assert status == 200, upload
        found: dict[str, Any] = upload
        return found

    def put(self, upload: dict[str, Any], archive: bytes, number: int) -> int:
        """Send one part to storage, asking for a new address first; the status."""
        status, signed = self.ask("POST", f"/uploads/{upload['id']}/parts", {"partNumbers": [number]})
        assert status == 200, signed
        start = (number - 1) * upload["partSize"]
        data = archive[start : start + upload["partSize"]]
        return self._http.request("PUT", signed["urls"][0]["url"], body=data).status

    def send(self, upload: dict[str, Any], archive: bytes) -> None:
        """Every part. What storage has acknowledged must be listed from then on, whatever dies."""
        for number in range(1, upload["partsCount"] + 1):
            assert self.put(upload, archive, number) == 200
            listed = {part["partNumber"] for part in self.state(upload["id"])["parts"]}
            assert listed == set(range(1, number + 1))

    def complete(self, upload: dict[str, Any]) -> dict[str, Any]:
        status, state = self.ask("POST", f"/uploads/{upload['id']}/complete")
        assert status == 200, state
        found: dict[str, Any] = state
        return found

    def finished(self, upload: dict[str, Any]) -> dict[str, Any]:
        """The upload once it is done or has failed."""
        states: list[dict[str, Any]] = []

        def ended() -> bool:
            states[:] = [self.state(upload["id"])]
            return states[0]["phase"] in {"done", "failed"}

        wait_until(ended, SECONDS, f"upload {upload['id']} has ended")
        return states[0]

    def deliver(self, archive: bytes, **fields: object) -> dict[str, Any]:
        """From the first call to the verdict."""
        upload = self.begin(archive, **fields)
        self.send(upload, archive)
        self.complete(upload)
        return self.finished(upload)
