"""Inspecting an archive while it streams, with memory that does not depend on its size."""

import time
from dataclasses import dataclass
from typing import Protocol

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_member import Member
from slipway.archive.archive_rejected import REPACKAGE, ArchiveRejected, display_name
from slipway.archive.gunzip import Gunzip
from slipway.archive.member_rules import MemberRules
from slipway.archive.start_checks import StartChecks
from slipway.archive.tar.tar_header import Header
from slipway.archive.tar.tar_parser import TarParser


@dataclass(frozen=True)
class Inspection:
    """What an accepted archive contains. `unpacked_bytes` is the sum of the sizes of its files."""

    top_directory: str
    launcher: str
    unpacked_bytes: int
    members: int
    warnings: tuple[str, ...]


class MemberSink(Protocol):
    """Receives each accepted member, then its content."""

    def begin(self, member: Member) -> None: ...

    def content(self, data: memoryview) -> None: ...

    def hole(self, size: int) -> None:
        """The next `size` bytes of a sparse file are zeros."""


class Inspector:
    """A push parser: feed() the pieces in order, then finish().

    The result depends on the archive's bytes alone, not on how they were cut into pieces. `sink` receives every member
    that passes the rules, with its content. After a rejection every further call raises the same rejection.

    `check_start`: whether to reject games that can never start, and to warn of those that may not.
    """

    def __init__(
        self,
        limits: ArchiveLimits,
        launcher: str | None,
        sink: MemberSink | None = None,
        *,
        check_start: bool = True,
    ) -> None:
        self._limits = limits
        self._sink = sink
        self._rules = MemberRules(limits, launcher)
        self._start_checks = StartChecks(launcher, self._rules.tools) if check_start else None
        self._tar = TarParser(self._on_member, self._on_content, sink.hole if sink else None)
        self._gunzip = Gunzip(self._on_chunk)
        self._stream_bytes = 0  # all output of gunzip so far
        self._spent = 0.0  # CPU seconds in earlier calls of feed()
        self._entered = 0.0
        self._rejection: ArchiveRejected | None = None

    @property
    def members_read(self) -> int:
        """Members seen so far."""
        return self._rules.members

    @property
    def unpacked_bytes(self) -> int:
        """File contents seen so far."""
        return self._tar.content_bytes

    def feed(self, piece: bytes | memoryview) -> None:
        """Inspect the next piece of the archive, of any length. Raises ArchiveRejected at the first byte that breaks a
        rule."""
        if self._rejection:
            raise self._rejection
        # CPU time of this thread: slow clients, full disks and other busy processes must not count against the archive.
        self._entered = time.thread_time()
        try:
            self._gunzip.feed(piece)
            self._check_time()  # here too: a hostile stream can consume input without any output
        except ArchiveRejected as rejection:
            self._rejection = rejection
            raise
        finally:
            self._spent += time.thread_time() - self._entered

    def finish(self) -> Inspection:
        """Process the end of the archive. Raises ArchiveRejected if it is truncated, or is not a packaged game."""
        if self._rejection:
            raise self._rejection
        self._entered = time.thread_time()
        try:
            self._gunzip.finish()
            self._tar.finish()
            self._check_ratio(self._gunzip.compressed_bytes, self._tar.hole_bytes)
            top_directory, launcher = self._rules.finish()
            checks = self._start_checks
            start_warnings = checks.finish(f"{top_directory}/{launcher}") if checks else ()
        except ArchiveRejected as rejection:
            self._rejection = rejection
            raise
        warnings = start_warnings + self._rules.warnings()
        return Inspection(top_directory, launcher, self.unpacked_bytes, self.members_read, warnings)

    def _on_chunk(self, chunk: bytes) -> None:
        self._stream_bytes += len(chunk)
        if self._stream_bytes + self._tar.hole_bytes > self._limits.unpacked_bytes:
            raise self._too_large(None)
        # Holes cost nothing to skip, and may come before most of the archive: they count at the end.
        self._check_ratio(max(self._gunzip.compressed_bytes, self._limits.archive_bytes), hole_bytes=0)
        self._tar.feed(chunk)
        self._check_time()

    def _check_ratio(self, packed: int, hole_bytes: int) -> None:
        limits, unpacked = self._limits, self._stream_bytes + hole_bytes
        if unpacked > max(limits.ratio_grace_bytes, limits.ratio * packed):
            raise ArchiveRejected(
                f"The archive unpacks to more than {limits.ratio} times its size ({unpacked} bytes from {packed})",
                "Remove files that contain nothing but padding",
            )

    def _check_time(self) -> None:
        seconds = self._limits.processing_seconds
        if self._spent + time.thread_time() - self._entered > seconds:
            raise ArchiveRejected(
                f"Reading the archive took more than {seconds:g} s of CPU time",
                f"Pack small files together, into .rpa archives for example. {REPACKAGE}",
            )

    def _on_member(self, header: Header) -> None:
        self._rules.tools.gzip_head = self._gunzip.head
        member = self._rules.admit(header)
        # A declared size that is too large is rejected before its content arrives.
        if self._tar.content_bytes + header.file_size > self._limits.unpacked_bytes:
            raise self._too_large(display_name(header.name))
        if member and self._start_checks:
            self._start_checks.begin(member, header.mode)
        if member and self._sink:
            self._sink.begin(member)

    def _on_content(self, data: memoryview) -> None:
        if self._start_checks:
            self._start_checks.content(data)
        if self._sink:
            self._sink.content(data)

    def _too_large(self, member: str | None) -> ArchiveRejected:
        where = f"With {member} the" if member else "The"
        return ArchiveRejected(
            f"{where} archive unpacks to more than {self._limits.unpacked_bytes} bytes",
            "Remove files that the game does not need, or ask the operator for a higher limit",
            member,
        )
