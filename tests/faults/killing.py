"""What is sent to an app that is about to be killed, and what must be true when it is back."""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Callable

from tests.app.runtime.processes import is_alive, wait_until
from tests.app.uploads.raw.live import Gunicorn, World, environment_of
from tests.app.uploads.raw.sending import Answer, RawUpload
from tests.app.uploads.resumable.resuming import Platform
from tests.faults.packing import Packed
from tests.forked_processes import portal_commands


def try_upload(gunicorn: Gunicorn, world: World, slug: str, archive: bytes) -> Answer | None:
    """The answer, or None when the server went away before it gave one."""
    try:
        with RawUpload(gunicorn.port, world.key, slug, Content_Length=str(len(archive))) as sending:
            return sending.send(archive).answer()
    except (OSError, http.client.HTTPException):
        return None


def flask(world: World, *words: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, output and error output of a `flask` command of the installation."""
    variables = os.environ | environment_of(world.settings) | environment
    return portal_commands().run("flask", ["--app", "wsgi", *words], variables, 60)


def crash(gunicorn: Gunicorn, point: str, ask: Callable[[], object]) -> None:
    """Start the server with that crash point, do what leads there, and end the rest of it."""
    gunicorn.start(SLIPWAY_APP_CRASH_AT=point)
    worker = gunicorn.worker
    ask()
    wait_until(lambda: not is_alive(worker), 20, f"the worker was killed at {point}")
    gunicorn.kill()


def crashed(platform: Platform, pid: int, point: str) -> None:
    """Wait until that process has died there and the next one answers."""
    wait_until(lambda: platform.has_crashed(pid), 30, f"the process died at {point}")
    platform.gunicorn.wait()


def kill_after(kill: Callable[[], None], seconds: float) -> threading.Timer:
    """Kill in so many seconds, from a thread."""
    timer = threading.Timer(seconds, kill)
    timer.start()
    return timer


def nothing_is_half(world: World, slug: str, acknowledged: list[str], sent: list[Packed]) -> None:
    """Every acknowledged archive is a build, in order and byte for byte; every other build is an archive that was sent,
    whole; and nothing else is left over once the server has tidied up."""
    found = [sha256 for _, sha256 in world.builds(slug)]  # compares each with the bytes in the bucket
    rest = iter(found)
    assert all(sha256 in rest for sha256 in acknowledged), "an acknowledged build is gone, or out of order"
    assert set(found) <= {packed.sha256 for packed in sent}
    assert [number for number, _ in world.builds(slug)] == list(range(1, len(found) + 1))
    world.is_clean()
