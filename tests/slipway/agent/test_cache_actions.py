"""What follows from plan and disk, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.agent.cache.next_actions import BuildsInUse, CacheActions, CacheContents, choose_actions
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import InvalidPlan, Plan, WantedBuild, parse_plan

G1_1, G1_2, G1_3, G2_1 = BuildKey("g1", 1), BuildKey("g1", 2), BuildKey("g1", 3), BuildKey("g2", 1)


def wanted(key: BuildKey, *, active: bool, keep: bool = False, preparing: bool = False) -> WantedBuild:
    url = "http://storage/a?sig"
    return WantedBuild(key, 100, "0" * 64, 200, "game-1.0", "game.sh", url, active, 0, keep, preparing)


def plan(
    *,
    active: tuple[BuildKey, ...] = (),
    kept: tuple[BuildKey, ...] = (),
    spare: tuple[BuildKey, ...] = (),
    evict: tuple[BuildKey, ...] = (),
) -> Plan:
    """`kept` are wanted until their successor is complete, `spare` only for rolling back."""
    builds = [wanted(key, active=True) for key in active] + [wanted(key, active=False) for key in kept]
    builds += [wanted(key, active=False, keep=True) for key in spare]
    return Plan(1, "srv-01", 0.0, tuple(builds), evict)


def on_disk(*whole: BuildKey, current: tuple[BuildKey, ...] = ()) -> CacheContents:
    return CacheContents(set(whole), {key.game_id: key for key in current})


def decided(
    what: Plan, disk: CacheContents, fetching: tuple[BuildKey, ...] = (), in_use: BuildsInUse | None = None
) -> CacheActions:
    return choose_actions(what, disk, set(fetching), in_use or BuildsInUse())


NOTHING = CacheActions((), (), (), (), ())


def test_what_is_missing_is_fetched_the_released_builds_first() -> None:
    decision = decided(plan(active=(G1_2, G2_1), kept=(G1_1,)), on_disk())
    assert decision.fetch == (G1_2, G2_1, G1_1)


def test_what_is_being_fetched_is_not_fetched_twice() -> None:
    assert decided(plan(active=(G1_1,)), on_disk(), fetching=(G1_1,)) == NOTHING


def test_nothing_is_to_do_when_all_is_there() -> None:
    assert decided(plan(active=(G1_1,)), on_disk(G1_1, current=(G1_1,))) == NOTHING


def test_a_released_build_becomes_current_only_when_whole() -> None:
    assert decided(plan(active=(G1_2,), kept=(G1_1,)), on_disk(G1_1, current=(G1_1,))).activate == ()
    assert decided(plan(active=(G1_2,), kept=(G1_1,)), on_disk(G1_1, G1_2, current=(G1_1,))).activate == (G1_2,)


def test_a_rollback_switches_to_the_older_build_that_is_still_here() -> None:
    decision = decided(plan(active=(G1_1,), kept=(G1_2,)), on_disk(G1_1, G1_2, current=(G1_2,)))
    assert decision == CacheActions((), (G1_1,), (), (), ())


def test_what_is_no_longer_wanted_is_evicted() -> None:
    assert decided(plan(active=(G1_2,)), on_disk(G1_1, G1_2, current=(G1_2,))).evict == (G1_1,)


def test_a_session_keeps_its_build() -> None:
    disk = on_disk(G1_1, G1_2, current=(G1_2,))
    assert decided(plan(active=(G1_2,)), disk, in_use=BuildsInUse(builds={G1_1})).evict == ()


def test_a_starting_session_keeps_every_build_of_its_game() -> None:
    disk = on_disk(G1_1, G1_2, G2_1, current=(G1_2,))
    assert decided(plan(active=(G1_2,)), disk, in_use=BuildsInUse(games={"g1"})).evict == (G2_1,)


def test_a_wanted_build_is_never_evicted_whatever_the_platform_names() -> None:
    assert decided(plan(active=(G1_1,), evict=(G1_1,)), on_disk(G1_1, current=(G1_1,))) == NOTHING


def test_what_is_live_stays_until_its_successor_is_whole() -> None:
    assert decided(plan(active=(G1_3,)), on_disk(G1_2, current=(G1_2,))).evict == ()
    assert decided(plan(active=(G1_3,)), on_disk(G1_2, G1_3, current=(G1_3,))).evict == (G1_2,)


def test_a_deleted_game_goes_even_though_it_was_live() -> None:
    assert decided(plan(), on_disk(G1_1, current=(G1_1,))).evict == (G1_1,)


def test_a_fetch_that_is_no_longer_wanted_is_cancelled() -> None:
    assert decided(plan(active=(G1_3,)), on_disk(), fetching=(G1_2,)).cancel == (G1_2,)


def test_builds_that_only_the_platform_believes_in_are_reported_absent() -> None:
    assert decided(plan(evict=(G1_1, G1_2)), on_disk(G1_2)).absent == (G1_1,)


def test_a_spare_build_stays_and_is_never_fetched() -> None:
    spare = plan(active=(G1_2,), spare=(G1_1,))
    assert decided(spare, on_disk(G1_1, G1_2, current=(G1_2,))) == NOTHING
    gone = decided(spare, on_disk(G1_2, current=(G1_2,)))
    assert (gone.fetch, gone.absent) == ((), (G1_1,))
    assert decided(spare, on_disk(G1_2, current=(G1_2,)), fetching=(G1_1,)).cancel == (G1_1,)


def test_a_rollback_to_a_spare_build_only_switches() -> None:
    back = plan(active=(G1_1,), spare=(G1_2,))
    assert decided(back, on_disk(G1_1, G1_2, current=(G1_2,))) == CacheActions((), (G1_1,), (), (), ())


def test_a_build_whose_pack_is_prepared_is_not_fetched_yet() -> None:
    waiting = Plan(1, "srv-01", 0.0, (wanted(G1_2, active=True, preparing=True),), ())
    assert decided(waiting, on_disk(G1_1, current=(G1_1,))).fetch == ()


def document(**changes: Any) -> dict[str, Any]:
    build = {
        "gameId": "g1",
        "build": 3,
        "size": 10,
        "checksum": "sha256:" + "a" * 64,
        "unpackedBytes": 20,
        "topDirectory": "game-1.0",
        "launcher": "game.sh",
        "archiveUrl": "http://storage/a?X-Amz-Signature=secret",
        "active": True,
        "retry": 0,
    }
    return {"version": 7, "server": {"id": "srv-01"}, "builds": [build | changes], "evict": []}


PACK: dict[str, Any] = {
    "url": "http://storage/pack?X-Amz-Signature=secret",
    "bytes": 5000,
    "index": {"url": "http://storage/index?X-Amz-Signature=secret", "bytes": 50, "sha256": "b" * 64, "size": 500},
    "updates": [
        {
            "build": 2,
            "bytes": 700,
            "delta": {"url": "http://storage/delta?X-Amz-Signature=secret", "bytes": 7},
            "patch": {"url": "http://storage/patch?X-Amz-Signature=secret", "bytes": 70, "sha256": "c" * 64},
        },
        {"build": 1, "bytes": 900, "delta": None, "patch": None},
    ],
}


def test_a_pack_is_read_and_its_addresses_stay_secret() -> None:
    (build,) = parse_plan(document(pack=PACK)).builds
    assert build.pack
    assert (build.keep, build.preparing) == (False, False)
    assert (build.pack.stored.size, build.pack.index.reference.size) == (5000, 500)
    assert [(update.build, update.transfer_bytes) for update in build.pack.updates] == [(2, 700), (1, 900)]
    assert (build.pack.updates[1].delta, build.pack.updates[1].patch) == (None, None)
    assert "secret" not in repr(build.pack) + repr(build)


def test_plans_of_an_older_platform_have_neither_packs_nor_kept_builds() -> None:
    (build,) = parse_plan(document()).builds
    assert (build.keep, build.preparing, build.pack) == (False, False, None)


def test_a_pack_that_is_prepared_is_no_pack_yet() -> None:
    (build,) = parse_plan(document(pack={"preparing": True})).builds
    assert (build.preparing, build.pack) == (True, None)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"keep": "yes"}, "keep"),
        ({"keep": True}, "both active and kept"),
        ({"pack": []}, "pack"),
        ({"pack": {"preparing": 1}}, "pack.preparing"),
        ({"pack": {"preparing": False}}, "url"),
        ({"pack": PACK | {"url": ""}}, "pack.url"),
        ({"pack": PACK | {"bytes": -1}}, "pack.bytes"),
        ({"pack": PACK | {"index": None}}, "not valid"),
        ({"pack": PACK | {"index": PACK["index"] | {"sha256": "B" * 64}}}, "pack.index.sha256"),
        ({"pack": PACK | {"index": PACK["index"] | {"size": 2**80}}}, "pack.index.size"),
        ({"pack": PACK | {"updates": {}}}, "pack.updates"),
        ({"pack": PACK | {"updates": PACK["updates"] * 51}}, "pack.updates"),
        ({"pack": PACK | {"updates": [{"build": 0, "bytes": 1}]}}, "build"),
        ({"pack": PACK | {"updates": [{"build": 1, "bytes": 1, "patch": {"url": "x", "bytes": 1}}]}}, "sha256"),
    ],
)
def test_a_pack_with_a_wrong_field_is_refused_by_its_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidPlan, match=named):
        parse_plan(document(**changes))


def test_a_plan_is_read() -> None:
    read = parse_plan(document())
    assert (read.version, read.server_id, read.builds[0].key) == (7, "srv-01", G1_3)
    assert "secret" not in repr(read)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"gameId": "../etc"}, "gameId"),
        ({"build": "3"}, "build"),
        ({"checksum": "md5:abc"}, "checksum"),
        ({"topDirectory": ".."}, "topDirectory"),
        ({"launcher": "a/b.sh"}, "launcher"),
        ({"size": -1}, "size"),
    ],
)
def test_a_plan_with_a_wrong_field_is_refused_by_its_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidPlan, match=named):
        parse_plan(document(**changes))


@pytest.mark.parametrize("answer", [{}, [], None, "plan", {"version": 1, "server": None, "builds": [], "evict": []}])
def test_what_is_not_a_plan_is_refused(answer: Any) -> None:
    with pytest.raises(InvalidPlan):
        parse_plan(answer)
