"""Which packs are kept, which are freed, and what the sweep and `flask check` find."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from app.catalog.games import delete_game
from app.catalog.releasing import release
from app.catalog.retention import apply_retention, delete_build
from app.data.database import free_connection, writing
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack
from app.maintenance import build_sweep, pack_sweep
from app.maintenance.build_sweep import check, sweep
from app.maintenance.pack_sweep import PackCheckFindings
from app.packing.due_packs import NEWEST_PACKED, due_packs
from app.packing.pack_claims import claim_pack
from app.packing.pack_removal import free_packs
from app.packing.pack_work import make_due_packs, make_unready_packs
from app.storage.bucket import bucket
from tests.app.fleet.acting import STUDIO, FleetAgent, held
from tests.app.packing.scenes import Studio, game_files, pack_objects_stored, pack_of, ready_pack, update_of

NOW = timedelta(0)


def builds(studio: Studio, count: int) -> list[Build]:
    """Released one after the other, all with packs."""
    made = []
    for number in range(count):
        made.append(studio.publish(game_files(scripts=number + 1, media=1000)))
        make_due_packs()
    return made


def named(build: Build) -> set[str]:
    pack = ready_pack(build)
    return {pack.pack_key, pack.index_key}


def test_packs_of_builds_that_nobody_needs_are_freed_and_counted(studio: Studio) -> None:
    oldest, *newest = builds(studio, NEWEST_PACKED + 1)
    packed = ready_pack(oldest)
    before = pack_objects_stored()
    way = update_of(oldest, newest[0])
    assert way is not None
    assert way.delta_bytes is not None

    swept = sweep(NOW)

    listed = pack_of(oldest)
    assert listed is not None
    assert (listed.state, listed.index_key) == ("listed", packed.index_key)
    gone = before.keys() - pack_objects_stored().keys()
    assert gone >= {packed.pack_key, way.delta_key}
    assert packed.index_key not in gone, "the build can still be compared"
    assert set(pack_objects_stored()) >= set().union(*map(named, newest))
    assert [key for key in pack_objects_stored() if oldest.id in key] == []
    assert update_of(oldest, newest[0]) is None, "nobody updates from a build that is on no server"
    assert (swept.packs, swept.objects) == (1, len(gone))
    assert swept.bytes_freed == sum(before[key] for key in gone)
    assert all(ready_pack(build) for build in newest)
    assert due_packs() == []
    assert check().missing == []


def test_packs_of_staged_builds_are_freed_too(studio: Studio) -> None:
    staged = [
        studio.publish(game_files(scripts=number, media=1000), release=False) for number in range(NEWEST_PACKED + 1)
    ]
    make_due_packs()
    assert pack_of(staged[0]) is not None, "requested when it was published"
    sweep(NOW)
    assert [pack_of(build) is None for build in staged] == [True] + [False] * NEWEST_PACKED


def test_a_live_build_keeps_its_pack_however_old_it_is(studio: Studio) -> None:
    oldest = builds(studio, NEWEST_PACKED + 1)[0]
    release(studio.game, oldest.number, STUDIO)
    sweep(NOW)
    ready_pack(oldest)


@pytest.mark.parametrize("phase", ["cached", "downloading", "verifying"])
def test_a_build_on_a_server_keeps_its_pack_and_its_update(studio: Studio, agent: FleetAgent, phase: str) -> None:
    first = studio.publish(game_files(media=1000))
    agent.report(held(first, phase))
    make_due_packs()
    others = builds(studio, NEWEST_PACKED + 1)
    agent.report(held(first, "cached"))
    make_due_packs()

    sweep(NOW)

    ready_pack(first)
    assert update_of(first, others[-1]) is not None


def test_a_pack_that_is_needed_again_is_made_again(studio: Studio) -> None:
    oldest = builds(studio, NEWEST_PACKED + 1)[0]
    free_packs()
    release(studio.game, oldest.number, STUDIO)
    assert due_packs() == [oldest.id]
    make_due_packs()
    ready_pack(oldest)


def test_builds_from_before_packs_get_theirs_live_ones_first(studio: Studio) -> None:
    made = builds(studio, 3)
    release(studio.game, made[1].number, STUDIO)
    with writing() as session:
        session.execute(delete(BuildPack))
    free_connection()
    assert due_packs() == [made[1].id, made[2].id, made[0].id]

    make_due_packs()

    assert all(ready_pack(build) for build in made)


def test_deleting_a_build_deletes_its_pack_and_the_updates_to_and_from_it(studio: Studio) -> None:
    first, second, third = builds(studio, 3)
    release(studio.game, third.number, STUDIO)
    assert update_of(first, second) is not None
    assert update_of(second, third) is not None
    free_connection()

    delete_build(studio.game, second.number, STUDIO)

    assert set(pack_objects_stored()) >= named(first) | named(third)
    assert [key for key in pack_objects_stored() if second.id in key] == []
    assert (check().orphans, check().missing) == ([], [])


def test_retention_deletes_packs_with_their_builds(studio: Studio) -> None:
    made = builds(studio, 3)
    before = pack_objects_stored()
    with writing() as session:
        session.execute(update(Game).values(keep_builds=1))

    sizes = apply_retention(studio.game.id)

    assert [pack_of(build) is None for build in made] == [True, True, False]
    gone = before.keys() - pack_objects_stored().keys()
    assert sorted(sizes) == sorted([made[0].size, made[1].size, *(before[key] for key in gone)])


def test_a_deleted_game_takes_its_packs_with_it(studio: Studio) -> None:
    build = builds(studio, 1)[0]
    delete_game(studio.game, STUDIO)
    assert due_packs() == []
    ready_pack(build)

    sweep(NOW)

    assert pack_of(build) is None
    assert pack_objects_stored() == {}


def put(key: str, content: bytes = b"left over") -> None:
    multipart = bucket().start_multipart(key)
    bucket().complete_multipart(key, multipart, [bucket().put_part(key, multipart, 1, [content])])


def test_what_no_row_names_is_found_and_swept_when_it_is_old_enough(studio: Studio) -> None:
    build = builds(studio, 1)[0]
    orphan = f"{ready_pack(build).folder}/patch.of-no-row"
    put(orphan)
    multipart = bucket().start_multipart("packs/pack_dead/pack")

    found = check()
    assert [each.key for each in found.orphans] == [orphan]
    assert found.transfers == ["packs/pack_dead/pack"]
    assert (found.packs, found.missing) == (1, [])

    assert sweep().objects == 0, "it may belong to an attempt that just ends"
    assert sweep(NOW).objects == 1

    assert bucket().parts("packs/pack_dead/pack", multipart) is None
    assert set(pack_objects_stored()) == named(build)


def test_what_is_deleted_during_a_check_is_no_orphan(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    build = builds(studio, 1)[0]
    deleted = f"{ready_pack(build).folder}/patch.of-no-row"
    put(deleted)
    compare = pack_sweep.check_packs

    def deleted_meanwhile() -> PackCheckFindings:
        found = compare()
        assert [each.key for each in found.orphans] == [deleted]
        bucket().delete([deleted])
        return found

    monkeypatch.setattr(build_sweep, "check_packs", deleted_meanwhile)
    assert check().orphans == []


def test_the_folder_of_a_running_attempt_is_no_garbage(studio: Studio) -> None:
    build = studio.publish(game_files())
    claim = claim_pack(build.id)
    assert claim is not None
    key = f"{claim.folder}/pack"
    put(key)
    multipart = bucket().start_multipart(f"{claim.folder}/index")

    assert (check().orphans, check().transfers) == ([], [])
    sweep(NOW)

    assert list(pack_objects_stored()) == [key]
    assert bucket().parts(f"{claim.folder}/index", multipart) == []


def test_lost_and_wrong_objects_are_found(studio: Studio) -> None:
    first, second = builds(studio, 2)
    way = update_of(first, second)
    assert way is not None
    bucket().delete([ready_pack(first).pack_key, way.delta_key])
    put(ready_pack(second).index_key, b"too short")

    missing = check().missing

    slug = studio.slug
    assert sorted(missing) == sorted(
        [
            f"{slug}, pack of build 1: {ready_pack(first).pack_key}",
            f"{slug}, pack of build 2: {ready_pack(second).index_key}",
            f"{slug}, update to build 2: {way.delta_key}",
        ]
    )


def test_packs_make_repairs_what_check_finds(studio: Studio) -> None:
    first, second = builds(studio, 2)
    way = update_of(first, second)
    assert way is not None
    bucket().delete([ready_pack(first).pack_key, way.delta_key])
    before = ready_pack(second).folder

    made = [found.name for found in make_unready_packs(None)]

    assert made == [f"{studio.slug}, build 1", f"{studio.slug}, update from build 2 to build 1"]
    assert (check().missing, check().orphans) == ([], [])
    assert ready_pack(second).folder == before, "whatever is complete stays"


def test_packs_make_makes_an_incomplete_update_again(studio: Studio, agent: FleetAgent) -> None:
    first, second = builds(studio, 2)
    agent.report(held(first, "cached"))
    way = update_of(first, second)
    assert way is not None
    bucket().delete([way.delta_key])

    made = [found.name for found in make_unready_packs(None)]

    assert made == [f"{studio.slug}, update from build 1 to build 2"]
    again = update_of(first, second)
    assert again is not None
    assert again.folder != way.folder
    assert (check().missing, check().orphans) == ([], [])


def test_a_build_without_an_object_does_not_keep_others_from_their_packs(studio: Studio) -> None:
    staged = studio.publish(game_files())
    lost = studio.publish(game_files(scripts=2))
    bucket().delete([lost.object_key])

    make_due_packs()

    ready_pack(staged)
    pack = pack_of(lost)
    assert pack is not None
    assert (pack.state, pack.makings_begun) == ("waiting", 1)
    assert pack.reason == "Its archive is not in storage. Tell the operator: flask check lists build 2."
