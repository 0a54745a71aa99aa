"""`slipway-agent verify`: checks the cached builds and prints what it finds. It may run beside the agent."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from slipway.agent.cache.bandwidth import Bandwidth
from slipway.agent.cache.build_store import BuildMarker, Inventory
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.disk_space import DiskFull, DiskSpace
from slipway.agent.cache.download import FetchFailed
from slipway.agent.cache.locks import BuildInUse, build_lock, lock_until_exit
from slipway.agent.exit_codes import ExitCode
from slipway.agent.packs.storage_client import StorageClient
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import WantedBuild
from slipway.agent.platform_client import (
    PlatformClient,
    PlatformRefused,
    PlatformUnreachable,
    make_platform_pool,
)
from slipway.agent.sessions.connection_file import Connection, NoConnection, read_connection
from slipway.agent.storage_addresses import StorageAddresses, parse_storage_hosts
from slipway.agent.verification.build_check import BuildCheck, CheckedBuild, NotChecked, NotMended, Problems
from slipway.agent.verification.repair_folders import drop_repairs
from slipway.client.printable import one_line
from slipway.client.sizes import format_size
from slipway.client.storage_connections import StorageConnections

_MAX_LISTED_PROBLEMS = 50

Write = Callable[[str], object]


def verify_cache(cache: Path, game_id: str | None, *, repair: bool, write: Write) -> ExitCode:
    """Check the builds of one game, or all. Raises NoConnection, CacheInUse if another verify runs, and OSError."""
    layout = CacheLayout(cache)
    connection = read_connection(layout)
    if layout.connection.stat().st_uid != os.geteuid():
        # Repaired files would belong to another user than the agent's, which could not remove them.
        raise NoConnection("run this command as the agent's user")
    lock = lock_until_exit(layout.verify_lock)
    try:
        builds = {
            key: marker
            for key, marker in sorted(Inventory(layout).complete_builds().items())
            if game_id is None or key.game_id == game_id
        }
        if not builds:
            write(f"no build{f' of {game_id}' if game_id else ''} is cached here\n")
            return ExitCode.NOT_FOUND if game_id else ExitCode.OK
        check = _build_check(layout, connection)
        results = [_verify(layout, check, key, marker, repair, write) for key, marker in builds.items()]
    finally:
        os.close(lock)
    return next((code for code in (ExitCode.DAMAGED, ExitCode.NOT_CHECKED) if code in results), ExitCode.OK)


def _build_check(layout: CacheLayout, connection: Connection) -> BuildCheck:
    pool = make_platform_pool(ca_file=connection.ca_file)
    client = PlatformClient(pool, connection.url, connection.token)
    addresses = StorageAddresses(connection.url, parse_storage_hosts(connection.storage_hosts))
    connections = StorageConnections(connection.ca_file)
    storage = StorageClient(connections, addresses, Bandwidth(connection.bandwidth))

    def planned(key: BuildKey) -> WantedBuild | None:
        try:
            return client.plan(None, 0).wanted(key)
        except (PlatformUnreachable, PlatformRefused) as error:
            raise FetchFailed(f"the platform gave no plan: {error}") from error

    return BuildCheck(layout, storage, DiskSpace(layout.cache, connection.disk_floor), planned)


def _verify(
    layout: CacheLayout, check: BuildCheck, key: BuildKey, marker: BuildMarker, repair: bool, write: Write
) -> ExitCode:
    name = f"{key.game_id} build {key.build}"
    try:
        with build_lock(layout.marker(key)):  # it cannot be evicted meanwhile
            checked = check.check(key, marker)
            if not checked.problems:
                files = sum(1 for _ in checked.index.files())
                drop_repairs(layout, key)
                write(f"{name}: complete ({files} files, {format_size(checked.index.content_bytes)})\n")
                return ExitCode.OK
            _list(name, checked.problems, write)
            if repair:
                return _mend(name, check, checked, write)
            if not checked.verification.is_whole:
                write(f"{name}: run with --repair to repair it\n")
            _advise(name, checked, write)
            return ExitCode.DAMAGED
    except (FileNotFoundError, BuildInUse):
        write(f"{name}: was removed meanwhile\n")
        return ExitCode.OK
    except NotChecked as reason:
        write(f"{name}: not checked: {reason}\n")
        return ExitCode.NOT_CHECKED
    except (NotMended, DiskFull) as reason:
        write(f"{name}: not repaired: {reason}\n")
        return ExitCode.DAMAGED


def _mend(name: str, check: BuildCheck, checked: CheckedBuild, write: Write) -> ExitCode:
    if not checked.verification.is_whole:
        before = check.received_bytes
        checked = check.mend(checked)
        write(f"{name}: repaired ({format_size(check.received_bytes - before)} fetched)\n")
        if not checked.problems:
            return ExitCode.OK
        _list(name, checked.problems, write)
    _advise(name, checked, write)
    return ExitCode.DAMAGED


def _advise(name: str, checked: CheckedBuild, write: Write) -> None:
    if checked.verification.extra:
        write(f"{name}: --repair leaves files that are not in the build; remove them yourself\n")


def _list(name: str, problems: Problems, write: Write) -> None:
    write(f"{name}: {'1 problem' if len(problems) == 1 else f'{len(problems)} problems'}\n")
    for path, problem in islice(problems, _MAX_LISTED_PROBLEMS):
        write(f"  {one_line(path)}: {problem}\n")
    if len(problems) > _MAX_LISTED_PROBLEMS:
        write(f"  and {len(problems) - _MAX_LISTED_PROBLEMS} more\n")
