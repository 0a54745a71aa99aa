"""Downloading the archive of a build: straight from storage, continued after interruptions, and verified."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.output import Output
from slipway.cli.platform_client import PlatformClient
from slipway.cli.progress_bar import ProgressStep
from slipway.client.backoff import RetryBudget
from slipway.client.file_flags import O_BINARY, O_NOFOLLOW, O_NONBLOCK
from slipway.client.rate import RateMeter
from slipway.client.sizes import format_part
from slipway.client.transport import describe_network_error, make_pool

_READ_BYTES = 1 << 18
_TIMEOUT = urllib3.Timeout(connect=30.0, read=60.0)
_RETRY_SECONDS = 300.0
_MAX_FORBIDDEN = 5
_FINAL = {"404", "416"}  # without the object, or with fewer bytes than the build has
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class BuildDownload:
    """The archive of one build. `size` in bytes, `checksum` as in the API (`sha256:` and lowercase hex)."""

    def __init__(self, platform: PlatformClient, slug: str, number: int, output: Output) -> None:
        build = platform.game(slug, f"/builds/{number}")
        self.size = int(build["size"])
        self.checksum = str(build["checksum"])
        if not _CHECKSUM.fullmatch(self.checksum):  # a part of it becomes a file's name
            raise ValueError(f"checksum {self.checksum!r}")
        self._platform = platform
        self._path = f"/builds/{number}/download"
        self._slug = slug
        self._output = output
        self._rate = RateMeter()
        # Without the key: storage must not receive it.
        self._pool = make_pool(1)

    def save(self, target: Path, *, force: bool) -> Path:
        """Download to `target`, and return its path. What has arrived is kept beside it until it is complete, and a
        later download continues it. Raises CommandError and OSError."""
        if target.exists() and not force:
            raise CommandError(
                f"{target} exists. Pass --force to replace it, or --output to write elsewhere.", ExitCode.USAGE
            )
        self._output.plan(["downloading"])
        partial = target.with_name(f".{target.name}.{self.checksum.rpartition(':')[2][:16]}.part")
        try:
            with _open_partial(partial) as file:
                sha256 = self._fill(file)
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. What has arrived is kept: run the same command again to continue.", ExitCode.INTERRUPTED
            ) from None
        if f"sha256:{sha256}" != self.checksum:
            partial.unlink()
            raise CommandError(
                f"The bytes that arrived have sha256:{sha256}, but the build has {self.checksum}. They were deleted. "
                "Download again, and tell the operator if it happens again.",
                ExitCode.UNEXPECTED,
                "checksum_mismatch",
            )
        partial.replace(target)
        return target

    def _fill(self, file: IO[bytes]) -> str:
        """Append what is missing. Returns the digest of the complete file (lowercase hex)."""
        digest, done = hashlib.sha256(), 0
        file.seek(0)
        while done < self.size and (piece := file.read(min(_READ_BYTES, self.size - done))):
            digest.update(piece)
            done += len(piece)
        file.truncate(done)
        if done:
            self._output.info(f"Continuing: {format_part(done, self.size)} are here already.")
        budget, attempt, forbidden, url = RetryBudget(_RETRY_SECONDS), 0, 0, self._fresh_url()
        while done < self.size:
            before = done
            done, failure = self._fetch(url, file, digest, done)
            if failure is None:
                continue
            forbidden = forbidden + 1 if failure == "403" and done == before else 0
            attempt = 1 if done > before else attempt + 1
            if done > before:
                budget.succeeded()
            wait = budget.wait_after(attempt)
            if wait is None or forbidden == _MAX_FORBIDDEN or failure in _FINAL:
                raise self._given_up(url, failure)
            time.sleep(wait)
            url = self._fresh_url()
        return digest.hexdigest()

    def _fresh_url(self) -> str:
        found: dict[str, Any] = self._platform.game(self._slug, self._path)
        return str(found["url"])

    def _fetch(self, url: str, file: IO[bytes], digest: _Digest, done: int) -> tuple[int, str | None]:
        """Fetch from byte `done` on. Returns how far the file is filled, and why it ended early, or None."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
        try:
            response = self._pool.request(
                "GET", url, headers=headers, timeout=_TIMEOUT, redirect=False, preload_content=False
            )
            try:
                if response.status != (206 if done else 200):
                    return done, str(response.status)
                while done < self.size and (piece := response.read(min(_READ_BYTES, self.size - done), False)):
                    file.write(piece)
                    digest.update(piece)
                    done += len(piece)
                    self._show(done)
            finally:
                response.close()
        except (HTTPError, TimeoutError, ConnectionError) as error:
            return done, describe_network_error(error)
        return done, None if done == self.size else "the connection broke"

    def _show(self, done: int) -> None:
        text = format_part(done, self.size)
        self._output.step(ProgressStep("downloading", done, self.size, self._rate.at_total(done), text))

    @staticmethod
    def _given_up(url: str, failure: str) -> CommandError:
        what = f"it answered {failure}" if failure.isdecimal() else failure
        return CommandError(
            f"Storage at {urlsplit(url).netloc} does not give the archive: {what}. What has arrived is kept: run the "
            "same command again to continue.",
            ExitCode.UNREACHABLE,
        )


def _open_partial(path: Path) -> IO[bytes]:
    """Others may write to the folder, such as /tmp: what stands there must be a file of this user. Raises OSError and
    CommandError."""
    flags = os.O_RDWR | os.O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_BINARY
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        descriptor = os.open(path, flags)
        found, user = os.fstat(descriptor), getattr(os, "geteuid", lambda: 0)()
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != user:
            os.close(descriptor)
            raise CommandError(
                f"{path} is not an unfinished download of yours. Remove it, or pass --output to write elsewhere.",
                ExitCode.USAGE,
            ) from None
    return os.fdopen(descriptor, "a+b")
