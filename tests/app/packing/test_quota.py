"""Packs count once against the partner's quota, as a line of their own."""

from __future__ import annotations

import random
import shutil

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.accounts.build_quota import BuildQuota, build_quota
from app.accounts.partner_list import directory
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.data.models.partner import Partner
from app.packing.due_packs import PAUSE_WITHOUT_ROOM
from app.packing.pack_claims import claim_pack, free_claim
from app.packing.pack_making import Outcome, make_pack
from app.packing.pack_work import make_due_packs, work_is_due
from app.refusals import QuotaExceeded
from app.uploads.storage_totals import totals
from app.uploads.storage_usage import usage_by_game
from slipway.client.sizes import format_size
from tests.app.packing.scenes import Studio, edited, game_files, pack_objects_stored, pack_of, ready_pack

FILES = game_files()


def partner() -> Partner:
    free_connection()
    return db.session.scalars(select(Partner).where(Partner.name == "Starlight Studio")).one()


def quota() -> BuildQuota:
    return build_quota(db.session(), partner())


def set_quota(amount: int) -> None:
    with writing() as session:
        session.execute(update(Partner).values(build_quota_bytes=amount))
    free_connection()


def test_every_stored_byte_counts_once(studio: Studio) -> None:
    first = studio.publish(FILES)
    make_due_packs()
    second = studio.publish(FILES | {"lib/linux-x86_64/engine": edited(FILES["lib/linux-x86_64/engine"])})
    make_due_packs()

    found, stored = quota(), sum(pack_objects_stored().values())

    assert (found.archives, found.packs) == (first.size + second.size, stored)
    assert found.used == first.size + second.size + stored
    assert sum(ready_pack(build).stored_bytes for build in (first, second)) == stored
    (game,) = usage_by_game(partner())
    assert (game.builds, game.size) == (2, found.used)
    assert (totals().builds_bytes, totals().packs_bytes) == (found.archives, stored)
    listed = {entry.name: (entry.archive_bytes, entry.pack_bytes, entry.builds_bytes) for entry in directory()}
    assert listed == {"Starlight Studio": (found.archives, found.packs, found.used), "Moonbase": (0, 0, 0)}


def test_a_pack_that_is_being_made_is_reserved(studio: Studio) -> None:
    build = studio.publish(FILES)
    assert quota().packs == 0
    claim = claim_pack(build.id)
    assert claim is not None
    assert quota().packs == build.size
    free_claim(claim)
    assert quota().packs == 0


def test_a_pack_that_does_not_fit_is_not_made_and_says_why(studio: Studio) -> None:
    build = studio.publish(FILES)
    set_quota(build.size + 1000)

    assert make_pack(build.id) is Outcome.NOT_OURS

    pack = pack_of(build)
    assert pack is not None
    assert pack.state == "no_room"
    assert f"takes about {format_size(build.size)}, " in (pack.reason or "")
    assert "quota of Starlight Studio has 1 KiB left" in (pack.reason or "")
    set_quota(3 * build.size)
    assert make_pack(build.id, again=True) is Outcome.READY


def test_a_pack_many_times_as_large_as_its_archive_keeps_to_the_quota(studio: Studio) -> None:
    """Files that differ in a few bytes cost an archive almost nothing. A pack has each of them."""
    alike = random.Random(1).randbytes(15_000)
    build = studio.publish(FILES | {f"game/{n}.dat": alike + b"%04d" % n for n in range(400)})
    set_quota(4 * build.size)

    assert make_pack(build.id) is Outcome.ENDED

    pack = pack_of(build)
    assert pack is not None
    assert (pack.state, pack.makings_begun, quota().packs, pack_objects_stored()) == ("no_room", 0, 0, {})
    assert f"takes more than {format_size(3 * build.size)}, " in (pack.reason or "")
    assert f"when {format_size(pack.needed_bytes)} are left" in (pack.reason or "")

    set_quota(build.size + pack.needed_bytes - 1)
    pause_is_over(build)
    assert make_pack(build.id) is Outcome.NOT_OURS, "it is not worth the work yet"
    assert pack_of(build).makings_begun == 0  # type: ignore[union-attr]  # it is there

    set_quota(20 * build.size)
    assert not work_is_due(), "there is a pause between two looks"
    pause_is_over(build)
    assert work_is_due(), "the sweep sees it"
    make_due_packs()
    made = ready_pack(build)
    assert (made.pack_bytes > 5 * build.size, made.needed_bytes) == (True, 0)
    assert quota().packs == sum(pack_objects_stored().values())


def pause_is_over(build: Build) -> None:
    with writing() as session:
        session.get_one(BuildPack, build.id).touched_at -= PAUSE_WITHOUT_ROOM
    free_connection()


def test_a_pack_that_outgrows_its_archive_leaves_the_disk_its_floor(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alike = random.Random(1).randbytes(15_000)
    build = studio.publish(FILES | {f"game/{n}.dat": alike + b"%04d" % n for n in range(400)})
    usage, free = shutil.disk_usage("/"), iter([2**60])  # nothing but before the work begins
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=next(free, 0)))

    assert make_pack(build.id) is Outcome.ENDED

    pack = pack_of(build)
    assert pack is not None
    assert (pack.state, pack.makings_begun, pack_objects_stored()) == ("no_room", 0, {})
    assert "larger than its archive" in (pack.reason or "")
    assert "0 bytes are free" in caplog.text
    assert "bytes are free" not in (pack.reason or "")


def test_packs_leave_less_for_archives(app: Flask, studio: Studio) -> None:
    build = studio.publish(FILES)
    set_quota(2 * build.size + 1000)
    make_due_packs()
    with pytest.raises(QuotaExceeded):
        studio.publish(game_files(seed=2))
