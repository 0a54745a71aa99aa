"""The plan: the builds that this server should cache. It is validated strictly, because its names become paths."""

from __future__ import annotations

import re
import reprlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

from slipway.agent.packs.pack_offer import PackOffer, is_preparing, parse_pack
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
# A platform without a free slot for a long poll asks for a few seconds. A minute bounds the delay of a release.
MAX_POLL_AFTER_SECONDS = 60.0


class InvalidPlan(Exception):
    """The response is not a valid plan. The agent keeps its current plan."""


@dataclass(frozen=True)
class WantedBuild:
    """A build to cache. Sizes are in bytes, `sha256` is lowercase hex, `archive_url` is a secret while it is valid.

    `keep`: a build for rolling back. The agent keeps it while there is space and never fetches it. `preparing`: its
    pack is being made, and the agent waits for it. `pack` is None as long as there is none.
    """

    key: BuildKey
    size: int
    sha256: str
    unpacked_bytes: int
    top_directory: str
    launcher: str
    archive_url: str
    active: bool
    retry: int
    keep: bool = False
    preparing: bool = False
    pack: PackOffer | None = None

    def __repr__(self) -> str:
        return f"WantedBuild({self.key})"  # The signed address must not reach a log through a traceback.


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
    """The JSON response of `GET plan` as a Plan. Raises InvalidPlan, whose text names the invalid field."""
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
        raise InvalidPlan(one_line(f"the plan is not valid: {wrong}")) from wrong
    return plan


def _check_duplicates(builds: tuple[WantedBuild, ...]) -> None:
    """Reject two entries for one build, and two active builds of one game: `current` would alternate between them.
    Raises ValueError."""
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
    active, keep = parse_boolean(entry["active"], "active"), parse_boolean(entry.get("keep", False), "keep")
    if active and keep:
        raise ValueError("a build is both active and kept")
    return WantedBuild(
        key=_parse_key(entry),
        size=parse_integer(entry["size"], "size", MAX_BYTES),
        sha256=digest[1],
        unpacked_bytes=parse_integer(entry["unpackedBytes"], "unpackedBytes", MAX_BYTES),
        top_directory=parse_path_segment(entry["topDirectory"], "topDirectory"),
        launcher=parse_path_segment(entry["launcher"], "launcher"),
        archive_url=parse_address(entry["archiveUrl"], "archiveUrl"),
        active=active,
        retry=parse_integer(entry.get("retry", 0), "retry"),
        keep=keep,
        preparing=is_preparing(entry.get("pack")),
        pack=parse_pack(entry.get("pack")),
    )


def _parse_key(entry: Any) -> BuildKey:
    return BuildKey(parse_identifier(entry["gameId"], "gameId"), parse_build_number(entry["build"]))
