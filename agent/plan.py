"""The plan: what the platform wants this server to hold. Read strictly, because its names become paths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from agent.names import BuildKey, checked_build, checked_identifier, checked_segment

_CHECKSUM = re.compile(r"sha256:([0-9a-f]{64})")


class PlanUnreadable(Exception):
    """The answer is not a plan. The agent then keeps to the plan it had."""


@dataclass(frozen=True)
class WantedBuild:
    """A build to hold. Sizes in bytes, `sha256` in lowercase hex, `archive_url` is a secret while it lives."""

    key: BuildKey
    size: int
    sha256: str
    unpacked_bytes: int
    top_directory: str
    launcher: str
    archive_url: str
    active: bool
    retry: int

    def __repr__(self) -> str:
        return f"WantedBuild({self.key})"  # The address is signed and must not reach a log by way of a traceback.


@dataclass(frozen=True)
class Plan:
    version: int
    server_id: str
    poll_after_seconds: float
    builds: tuple[WantedBuild, ...]
    evict: tuple[BuildKey, ...]

    def wanted(self, key: BuildKey) -> WantedBuild | None:
        return next((build for build in self.builds if build.key == key), None)


def read_plan(document: Any) -> Plan:
    """The JSON answer of `GET plan` as a Plan. Raises PlanUnreadable, naming what is wrong."""
    try:
        return Plan(
            version=_count(document["version"], "version"),
            server_id=str(document["server"]["id"]),
            poll_after_seconds=max(0.0, float(document.get("pollAfterSeconds") or 0)),
            builds=tuple(_wanted(entry) for entry in document["builds"]),
            evict=tuple(_key(entry) for entry in document["evict"]),
        )
    except KeyError as missing:
        raise PlanUnreadable(f"the plan lacks {missing}") from missing
    except (TypeError, ValueError, AttributeError) as wrong:
        raise PlanUnreadable(f"the plan cannot be read: {wrong}") from wrong


def _wanted(entry: Any) -> WantedBuild:
    checksum = _CHECKSUM.fullmatch(str(entry["checksum"]))
    if not checksum:
        raise ValueError(f"checksum {entry['checksum']!r} is not sha256:<64 hex digits>")
    return WantedBuild(
        key=_key(entry),
        size=_count(entry["size"], "size"),
        sha256=checksum[1],
        unpacked_bytes=_count(entry["unpackedBytes"], "unpackedBytes"),
        top_directory=checked_segment(entry["topDirectory"], "topDirectory"),
        launcher=checked_segment(entry["launcher"], "launcher"),
        archive_url=str(entry["archiveUrl"]),
        active=bool(entry["active"]),
        retry=_count(entry.get("retry", 0), "retry"),
    )


def _key(entry: Any) -> BuildKey:
    return BuildKey(checked_identifier(entry["gameId"], "gameId"), checked_build(entry["build"]))


def _count(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{what} {value!r} is not a whole number of 0 or more")
    return value
