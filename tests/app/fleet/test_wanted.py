"""Which builds of a game one server should hold: a pure rule, over every state it can meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.data.models.game import Build
from app.data.models.server import PHASES, Replica
from app.fleet.replicas import is_plan_current, wanted_build_ids

# No matter how busy the machine is.
steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
DAY_ONE = datetime(2026, 1, 1, tzinfo=UTC)


def on_server(name: str, phase: str, released_on_day: int | None, wanted: bool = True) -> Replica:
    """Replica of build `name`, which was last released on that day, if ever."""
    at = None if released_on_day is None else DAY_ONE + timedelta(days=released_on_day)
    return Replica(build_id=name, phase=phase, wanted=wanted, build=Build(id=name, released_at=at, created_at=DAY_ONE))


replicas = st.lists(
    st.builds(
        on_server,
        st.sampled_from("abcdef"),
        st.sampled_from(PHASES),
        st.none() | st.integers(0, 50),
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


@pytest.mark.slow
@steady
@given(st.none() | st.sampled_from("abcdef"), replicas)
def test_flags_are_in_line_exactly_when_they_say_what_is_wanted(released: str | None, here: list[Replica]) -> None:
    wanted = wanted_build_ids(released, here)
    for replica in here:
        replica.wanted = replica.build_id in wanted
    there = {replica.build_id for replica in here}
    assert is_plan_current(released, here) == (released is None or released in there)
    for replica in here:
        replica.wanted = not replica.wanted
        assert not is_plan_current(released, here)
        replica.wanted = not replica.wanted
