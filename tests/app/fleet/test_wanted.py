"""Which builds of a game one server should hold: a pure rule, over every state it can meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.data.models.game import Build
from app.data.models.server import PHASES, Replica
from app.fleet.replicas import is_plan_current, kept_build_ids, wanted_build_ids

# No matter how busy the machine is.
steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
DAY_ONE = datetime(2026, 1, 1, tzinfo=UTC)


def on_server(
    name: str, phase: str, released_on_day: int | None, wanted: bool = True, kept: bool = False, planned: bool = True
) -> Replica:
    """Replica of build `name`, which was last released on that day, if ever. `planned`: it has been in the plan."""
    at = None if released_on_day is None else DAY_ONE + timedelta(days=released_on_day)
    return Replica(
        build_id=name,
        phase=phase,
        wanted=wanted,
        kept=kept,
        left_plan_at=DAY_ONE if planned else None,
        build=Build(id=name, released_at=at, created_at=DAY_ONE),
    )


replicas = st.lists(
    st.builds(
        on_server,
        st.sampled_from("abcdef"),
        st.sampled_from(PHASES),
        st.none() | st.integers(0, 50),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    max_size=6,
    unique_by=lambda replica: replica.build_id,
)


def test_nothing_is_wanted_of_a_game_that_released_nothing() -> None:
    assert wanted_build_ids(None, [on_server("a", "cached", 1)]) == set()


def test_the_released_build_alone_is_wanted_once_it_is_cached() -> None:
    assert wanted_build_ids("b", [on_server("a", "cached", 1), on_server("b", "cached", 2)]) == {"b"}


def test_until_then_the_newest_release_that_is_cached_stays() -> None:
    here = [on_server("a", "cached", 1), on_server("b", "cached", 2), on_server("c", "downloading", 3)]
    assert wanted_build_ids("c", here) == {"b", "c"}


def test_newest_is_by_release_and_not_by_number() -> None:
    rolled_back = [on_server("1", "cached", 9), on_server("2", "cached", 5), on_server("3", "pending", 10)]
    assert wanted_build_ids("3", rolled_back) == {"1", "3"}


def test_a_build_that_is_not_whole_is_no_fallback() -> None:
    for phase in set(PHASES) - {"cached"}:
        assert wanted_build_ids("b", [on_server("a", phase, 1), on_server("b", "pending", 2)]) == {"b"}


def test_a_build_that_was_never_released_is_no_fallback() -> None:
    assert wanted_build_ids("b", [on_server("a", "cached", None), on_server("b", "pending", 2)]) == {"b"}


@pytest.mark.slow
@steady
@given(st.sampled_from("abcdef"), replicas)
def test_the_released_build_is_always_wanted_with_at_most_one_beside_it(released: str, here: list[Replica]) -> None:
    wanted = wanted_build_ids(released, here)
    assert released in wanted
    assert len(wanted) <= 2


@pytest.mark.slow
@steady
@given(st.sampled_from("abcdef"), replicas)
def test_whatever_can_be_played_now_can_be_played_after_evicting_the_rest(released: str, here: list[Replica]) -> None:
    for replica in here:
        if replica.build_id == released:
            replica.build.released_at = DAY_ONE + timedelta(days=60)
    playable = [r for r in here if r.phase == "cached" and r.build.released_at]
    kept = wanted_build_ids(released, here)
    assert not playable or [r for r in playable if r.build_id in kept]


def kept(released: str | None, here: list[Replica], keep_previous: int) -> set[str]:
    return kept_build_ids(released, here, wanted_build_ids(released, here), keep_previous)


def test_the_build_that_was_live_before_is_kept_for_rolling_back() -> None:
    here = [on_server("a", "cached", 1), on_server("b", "cached", 2), on_server("c", "cached", 3)]
    assert kept("c", here, 1) == {"b"}
    assert kept("c", here, 2) == {"a", "b"}
    assert kept("c", here, 0) == set()


def test_a_build_that_is_played_meanwhile_counts_as_the_previous_one() -> None:
    here = [on_server("a", "cached", 1), on_server("b", "cached", 2), on_server("c", "downloading", 3)]
    assert kept("c", here, 1) == set(), "b is wanted until c is cached"
    assert kept("c", here, 2) == {"a"}


def test_after_a_rollback_the_newer_build_is_kept() -> None:
    assert kept("a", [on_server("a", "cached", 9), on_server("b", "cached", 5)], 1) == {"b"}


def test_only_complete_builds_that_were_released_are_kept() -> None:
    for phase in set(PHASES) - {"cached"}:
        assert kept("b", [on_server("a", phase, 1), on_server("b", "cached", 2)], 1) == set()
    assert kept("b", [on_server("a", "cached", None), on_server("b", "cached", 2)], 1) == set()


def test_a_build_that_only_reports_name_is_never_kept() -> None:
    here = [on_server("a", "cached", 1, wanted=False, planned=False), on_server("b", "cached", 2)]
    assert kept("b", here, 5) == set()


@pytest.mark.slow
@steady
@given(st.none() | st.sampled_from("abcdef"), replicas, st.integers(0, 6))
def test_kept_builds_are_cached_not_wanted_and_at_most_as_many_as_the_setting(
    released: str | None, here: list[Replica], keep_previous: int
) -> None:
    found = kept(released, here, keep_previous)
    assert len(found) <= keep_previous
    assert not found & wanted_build_ids(released, here)
    assert all(replica.phase == "cached" for replica in here if replica.build_id in found)


@pytest.mark.slow
@steady
@given(st.none() | st.sampled_from("abcdef"), replicas, st.integers(0, 3))
def test_flags_are_in_line_exactly_when_they_say_what_is_wanted_and_kept(
    released: str | None, here: list[Replica], keep_previous: int
) -> None:
    wanted, stays = wanted_build_ids(released, here), kept(released, here, keep_previous)
    for replica in here:
        was_planned = replica.wanted or replica.kept
        replica.wanted, replica.kept = replica.build_id in wanted, replica.build_id in stays
        if was_planned and not (replica.wanted or replica.kept):
            replica.left_plan_at = DAY_ONE
    there = {replica.build_id for replica in here}
    assert is_plan_current(released, here, keep_previous) == (released is None or released in there)
    for replica in here:
        replica.wanted = not replica.wanted
        assert not is_plan_current(released, here, keep_previous)
        replica.wanted = not replica.wanted
