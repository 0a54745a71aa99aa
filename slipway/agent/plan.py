"""The plan: what the platform wants this server to hold. Read strictly, because its names become paths."""

from __future__ import annotations

import re
import reprlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

from slipway.agent.path_names import BuildKey, parse_build_number, parse_identifier, parse_path_segment
from slipway.agent.response_fields import (
    MAX_BYTES,
    parse_address,
    parse_boolean,
    parse_integer,
    parse_list,
    parse_wait_seconds,
)
from slipway.client.printable import one_line

_CHECKSUM = re.compile(r"sha256:([0-9a-f]{64})")
# A platform without a free place for a held poll names a few seconds. A minute bounds how late a release is heard of.
MAX_POLL_AFTER_SECONDS = 60.0


class InvalidPlan(Exception):
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


def parse_plan(document: Any) -> Plan:
    """The JSON answer of `GET plan` as a Plan. Raises InvalidPlan, naming what is wrong."""
    try:
        plan = Plan(
            version=parse_integer(document["version"], "version"),
            server_id=parse_identifier(document["server"]["id"], "server.id"),
            poll_after_seconds=parse_wait_seconds(document.get("pollAfterSeconds"), MAX_POLL_AFTER_SECONDS),
            builds=tuple(_parse_build(entry) for entry in parse_list(document["builds"], "builds")),
            evict=tuple(_parse_key(entry) for entry in parse_list(document["evict"], "evict")),
        )
        _check_duplicates(plan.builds)
    except KeyError as missing:
        raise InvalidPlan(f"the plan lacks {missing}") from missing
    except (TypeError, ValueError, AttributeError) as wrong:
        raise InvalidPlan(one_line(f"the plan cannot be read: {wrong}")) from wrong
    return plan


def _check_duplicates(builds: tuple[WantedBuild, ...]) -> None:
    """Of two entries for one build, or two active builds of one game, neither could win: `current` would go back and
    forth. Raises ValueError."""
    for what, keys in (
        ("the build", [str(build.key) for build in builds]),
        ("an active build of", [build.key.game_id for build in builds if build.active]),
    ):
        twice = next((key for key, count in Counter(keys).items() if count > 1), None)
        if twice is not None:
            raise ValueError(f"it names {what} {twice} twice")


def _parse_build(entry: Any) -> WantedBuild:
    checksum = entry["checksum"]
    digest = _CHECKSUM.fullmatch(checksum) if isinstance(checksum, str) else None
    if not digest:
        raise ValueError(f"checksum {reprlib.repr(checksum)} is not sha256:<64 hex digits>")
    return WantedBuild(
        key=_parse_key(entry),
        size=parse_integer(entry["size"], "size", MAX_BYTES),
        sha256=digest[1],
        unpacked_bytes=parse_integer(entry["unpackedBytes"], "unpackedBytes", MAX_BYTES),
        top_directory=parse_path_segment(entry["topDirectory"], "topDirectory"),
        launcher=parse_path_segment(entry["launcher"], "launcher"),
        archive_url=parse_address(entry["archiveUrl"], "archiveUrl"),
        active=parse_boolean(entry["active"], "active"),
        retry=parse_integer(entry.get("retry", 0), "retry"),
    )


def _parse_key(entry: Any) -> BuildKey:
    return BuildKey(parse_identifier(entry["gameId"], "gameId"), parse_build_number(entry["build"]))
