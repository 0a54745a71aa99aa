"""What follows from plan and disk, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.agent.cache.next_actions import BuildsInUse, CacheActions, CacheContents, choose_actions
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import InvalidPlan, Plan, WantedBuild, parse_plan

G1_1, G1_2, G1_3, G2_1 = BuildKey("g1", 1), BuildKey("g1", 2), BuildKey("g1", 3), BuildKey("g2", 1)


def wanted(key: BuildKey, *, active: bool) -> WantedBuild:
    return WantedBuild(key, 100, "0" * 64, 200, "game-1.0", "game.sh", "http://storage/a?sig", active, 0)


def plan(
    *, active: tuple[BuildKey, ...] = (), kept: tuple[BuildKey, ...] = (), evict: tuple[BuildKey, ...] = ()
) -> Plan:
    builds = [wanted(key, active=True) for key in active] + [wanted(key, active=False) for key in kept]
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
