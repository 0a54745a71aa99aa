"""What changed in a build against another one of its game, from the indexes of their packs."""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.data.cursors import decode_cursor, encode_cursor, unknown_cursor
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack
from app.limits import thread_budgets
from app.limits.slots import Owner
from app.packing.change_table import ChangeFilter, ChangePage, ChangeTable
from app.packing.pack_reading import read_own_index
from app.packing.pack_removal import discard_index
from app.packing.pack_requests import request_list, suspect_packs
from app.refusals import Conflict, NotFound, Unavailable
from app.storage.objects import ObjectMissing
from app.topics.queue import enqueue
from slipway.packs.comparing import ChangeKind, below_top, compare
from slipway.packs.format.index import Index
from slipway.packs.format.refusals import IndexRefused

log = logging.getLogger(__name__)
MAX_CACHED_BYTES = 64 * 2**20
MAX_WAIT_SECONDS = 30.0
INDEX_PREPARING = "index_preparing"  # the refusal of a comparison that is possible soon


@dataclass(frozen=True)
class BuildChanges:
    """The changes of one build against the build numbered `against`. Paths begin below the top directories, those of
    the older and the newer build."""

    build: int
    against: int
    top_directories: tuple[str, str]
    table: ChangeTable


@dataclass(frozen=True)
class ListedChanges:
    """One page of changes, largest first. `counts`: of the changes whose path contains the text, by kind. `next_cursor`
    is where the next page begins, or None at the end."""

    compared: BuildChanges
    page: ChangePage
    counts: Mapping[ChangeKind, int]
    next_cursor: str | None


def list_changes(
    game: Game, build: Build, against: int | None, chosen: ChangeFilter, limit: int, cursor: str | None = None
) -> ListedChanges:
    """A page of changes. A cursor belongs to the two builds, also when another build has gone live since. Raises as
    `build_changes`, and InvalidRequest for an unknown cursor."""
    position = 0
    if cursor is not None:
        named, position = _cursor_position(cursor)
        if against not in {None, named}:
            raise unknown_cursor()
        against = named
    compared = build_changes(game, build, against)
    page = compared.table.page(chosen, position, limit)
    after = None if page.next_position is None else encode_cursor(compared.against, page.next_position)
    return ListedChanges(compared, page, compared.table.counts(chosen.text), after)


def _cursor_position(cursor: str) -> tuple[int, int]:
    numbers = decode_cursor(cursor, 2)
    if not all(re.fullmatch(r"[0-9]{1,9}", number) for number in numbers):
        raise unknown_cursor()
    return int(numbers[0]), int(numbers[1])


def build_changes(game: Game, build: Build, against: int | None = None) -> BuildChanges:
    """Compare with the build numbered `against`, or by default with the live build; the live build itself with the one
    that was live before. Reads from storage and frees the database connection.

    Raises NotFound if there is no build to compare with, and Unavailable if other comparisons take too long or too many
    wait. If one of the two has no list of its files, that is made now: Conflict, as INDEX_PREPARING, or as `no_index`
    when it could not be made.
    """
    other = _other_build(game, build, against)
    wanted = select(BuildPack).where(BuildPack.build_id.in_([build.id, other.id]))
    packs = {pack.build_id: pack for pack in db.session.scalars(wanted)}
    partner_id = game.partner_id
    free_connection()
    missing = [each for each in (other, build) if each.id not in packs or not packs[each.id].has_index]
    if missing:
        raise _requested(missing, packs)
    table = _cache.get((other.id, build.id))
    if table is None:
        with thread_budgets.comparisons.acquired(Owner.partner(partner_id, "Your partner")):
            table = _compare(other, packs[other.id], build, packs[build.id])
    return BuildChanges(build.number, other.number, (other.top_directory, build.top_directory), table)


def default_other(game: Game, build: Build) -> Build | None:
    """The build that `build_changes` compares with by default."""
    of_game = select(Build).where(Build.game_id == game.id, Build.id != build.id)
    if game.released_build_id and game.released_build_id != build.id:
        return db.session.scalar(of_game.where(Build.id == game.released_build_id))
    before = of_game.where(Build.released_at.is_not(None)).order_by(Build.released_at.desc()).limit(1)
    lower = of_game.where(Build.number < build.number).order_by(Build.number.desc()).limit(1)
    return db.session.scalar(before) or db.session.scalar(lower)


def other_numbers(game: Game, build: Build, limit: int, chosen: int | None) -> Sequence[int]:
    """The numbers of the newest other builds, and of the `chosen` one."""
    query = select(Build.number).where(Build.game_id == game.id, Build.id != build.id)
    newest = query.order_by((Build.number == chosen).desc(), Build.number.desc()).limit(limit)
    return sorted(db.session.scalars(newest), reverse=True)


def _other_build(game: Game, build: Build, against: int | None) -> Build:
    if against is None:
        found = default_other(game, build)
        if found is None:
            raise NotFound(f"'{game.slug}' has no other build to compare build {build.number} with.")
        return found
    found = db.session.scalar(select(Build).where(Build.game_id == game.id, Build.number == against))
    if found is None:
        raise NotFound(f"'{game.slug}' has no build {against}. It may have been deleted.")
    return found


def _requested(missing: Sequence[Build], packs: Mapping[str, BuildPack]) -> Conflict:
    """Have the missing lists made, unless that is under way. The refusal says to wait, or which list could not be made
    and why."""
    for build in missing:
        pack = packs.get(build.id)
        if pack is not None and (pack.state == "failed" or (pack.state == "no_room" and pack.list_requested)):
            return Conflict(
                f"Build {build.number} cannot be compared, because the list of its files could not be made. "
                f"{pack.reason}",
                "no_index",
            )
    for build in missing:
        pack = packs.get(build.id)
        if pack is None or pack.state not in {"waiting", "making"}:
            request_list(build.id)
            enqueue("make_packs", build.id)
    return _preparing(missing)


def _preparing(builds: Sequence[Build]) -> Conflict:
    names = " and ".join(str(build.number) for build in builds)
    lists = f"list of files of build {names} is" if len(builds) == 1 else f"lists of files of builds {names} are"
    return Conflict(f"The {lists} being made. Try again in a minute.", INDEX_PREPARING)


def _compare(old: Build, old_pack: BuildPack, new: Build, new_pack: BuildPack) -> ChangeTable:
    key = (old.id, new.id)
    # One at a time: two indexes of 200,000 files take some hundred megabytes and three seconds.
    if not _comparing.acquire(timeout=MAX_WAIT_SECONDS):
        raise Unavailable("Other builds are being compared. Try again in 30 seconds.", 30)
    try:
        found = _cache.get(key)
        if found is None:
            found = ChangeTable(compare(_index_of(old, old_pack), _index_of(new, new_pack)))
            _cache.put(key, found)
        return found
    finally:
        _comparing.release()


def _index_of(build: Build, pack: BuildPack) -> Index:
    try:
        return below_top(read_own_index(pack))
    except (ObjectMissing, IndexRefused) as why:
        log.warning("the list of files of build %s cannot be read: %s", build.id, why)
        if pack.state != "ready":
            discard_index(pack)
            raise _requested([build], {}) from None
        with writing() as session:  # whoever reads a page discards no pack: a worker looks at all of it
            suspect_packs(session, [build.id])
        free_connection()
        enqueue("make_packs", build.id)
        raise _preparing([build]) from None


class _TableCache:
    """The last compared pairs of builds, up to MAX_CACHED_BYTES. Builds are immutable, so nothing becomes outdated."""

    def __init__(self) -> None:
        self._tables: OrderedDict[tuple[str, str], ChangeTable] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str]) -> ChangeTable | None:
        with self._lock:
            found = self._tables.get(key)
            if found is not None:
                self._tables.move_to_end(key)
            return found

    def put(self, key: tuple[str, str], table: ChangeTable) -> None:
        """The newest table stays, whatever its size."""
        with self._lock:
            self._tables[key] = table
            while len(self._tables) > 1 and sum(t.memory_bytes for t in self._tables.values()) > MAX_CACHED_BYTES:
                self._tables.popitem(last=False)


_cache = _TableCache()
_comparing = threading.Lock()
