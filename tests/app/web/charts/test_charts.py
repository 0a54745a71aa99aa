"""Charts from plain numbers: shapes and words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.fleet.history.rollout_times import RolloutTime
from app.fleet.history.transfer_hours import Transferred
from app.uploads.storage_usage import GameUsage, PartnerUsage
from app.web.charts.bar_chart import BarChart, Part, parts
from app.web.charts.column_chart import ColumnChart
from app.web.charts.rollout_chart import rollout_chart
from app.web.charts.storage_charts import games_chart, partners_chart
from app.web.charts.transfer_charts import days_chart, hours_chart
from app.web.frame.formats import NO_BREAK_SPACE, Phrase, plain_text

AT = datetime(2026, 3, 14, 15, 0, tzinfo=UTC)
GIB = 2**30


def text(phrase: Phrase | str) -> str:
    words = phrase if isinstance(phrase, str) else plain_text(phrase)
    return words.replace(NO_BREAK_SPACE, " ")


def days(*amounts: int) -> list[Transferred]:
    first = AT.replace(hour=0) - timedelta(days=len(amounts) - 1)
    return [Transferred(first + timedelta(days=number), amount) for number, amount in enumerate(amounts)]


def drawn(chart: ColumnChart | None) -> ColumnChart:
    assert chart is not None
    return chart


def bars(chart: BarChart | None) -> list[tuple[str, str]]:
    assert chart is not None
    return [(bar.name, text(bar.value)) for bar in chart.bars]


def test_columns_are_as_high_as_their_part_of_a_round_scale() -> None:
    chart = drawn(days_chart(days(0, 50 * GIB, 200 * GIB, 1, 100 * GIB)))
    assert [text(label) for label in chart.scale] == ["200 GiB", "100", "0"]
    assert [column.height for column in chart.columns] == [0, 25, 100, 1, 50], "the smallest amount is seen too"
    assert [column.y + column.height for column in chart.columns] == [100] * 5
    assert [column.x for column in chart.columns] == [1, 11, 21, 31, 41]
    assert chart.width == 50


def test_the_largest_is_named_and_the_last_is_not_complete() -> None:
    chart = drawn(days_chart(days(50 * GIB, 200 * GIB, 100 * GIB)))
    assert text(chart.summary) == "350 GiB in 3 days. Most: 200 GiB, 13 Mar."
    assert [column.look for column in chart.columns] == ["full", "full", "open"]
    assert [text(column.tooltip) for column in chart.columns][1:] == ["13 Mar: 200 GiB", "14 Mar: 100 GiB so far"]
    assert [(text(row.label), row.number) for row in chart.rows][:2] == [("12 Mar", "50.0"), ("13 Mar", "200")]
    assert chart.number_heading == "Transferred (GiB)"


def test_hours_are_moments_in_the_readers_zone() -> None:
    hours = [Transferred(AT - timedelta(hours=ago), 2**20 * ago) for ago in reversed(range(48))]
    chart = drawn(hours_chart(hours))
    assert [text(tick) for tick in chart.ticks] == [
        "12 Mar, 16:00 UTC",
        "13 Mar, 04:00 UTC",
        "13 Mar, 16:00 UTC",
        "14 Mar, 04:00 UTC",
    ]
    assert not any(isinstance(tick[0], str) for tick in chart.ticks)
    assert chart.number_heading == "Transferred (MiB)"


def test_a_chart_of_nothing_is_none() -> None:
    assert days_chart(days(0, 0)) is None
    assert hours_chart([]) is None
    assert rollout_chart([], AT) is None
    assert partners_chart([], 0, str) is None
    assert games_chart([], "", lambda game: "", with_partner=True) is None


def test_parts_of_a_bar_follow_each_other_and_stay_inside() -> None:
    assert parts([(30, "full"), (20, "light")], 100) == [Part(0, 300, "full"), Part(300, 200, "light")]
    assert parts([(0, "full"), (1, "light")], 10**9) == [Part(0, 1, "light")]
    assert parts([(900, "open")], 100) == [Part(0, 1000, "open")]
    assert parts([(100, "full"), (1, "light")], 100) == [Part(0, 1000, "full")]
    assert parts([(5, "full")], 0) == []


def test_a_release_has_its_time_or_the_reason_why_not() -> None:
    times = [
        RolloutTime(4, AT - timedelta(hours=3), None, True),
        RolloutTime(3, AT - timedelta(days=1), 0.0, False),
        RolloutTime(2, AT - timedelta(days=2), None, False),
        RolloutTime(1, AT - timedelta(days=3), 600.0, False),
    ]
    chart = rollout_chart(times, AT)
    assert bars(chart) == [
        ("Build 4", "Not yet, 3 h so far"),
        ("Build 3", "At once"),
        ("Build 2", "Not recorded"),
        ("Build 1", "10 min"),
    ]
    assert chart is not None
    assert text(chart.summary) == "Slowest: build 1, 10 min."
    assert [bar.parts for bar in chart.bars] == [[Part(0, 1000, "open")], [], [], [Part(0, 1000, "full")]]
    assert [[text(cell) for cell in bar.cells][1] for bar in chart.bars] == ["Not yet", "0", "Not recorded", "10.0"]
    assert chart.headings == ("Build", "Released", "Time (min)")
    assert "another one came before" in chart.more


def test_what_was_cached_at_once_has_no_bar() -> None:
    times = [RolloutTime(2, AT, 0.9, True), RolloutTime(1, AT - timedelta(days=1), 0.2, False)]
    chart = rollout_chart(times, AT)
    assert bars(chart) == [("Build 2", "At once"), ("Build 1", "At once")]
    assert chart is not None
    assert [bar.parts for bar in chart.bars] == [[], []]
    assert text(chart.summary) == "Slowest: build 2, at once."


def test_times_of_several_days_are_in_days() -> None:
    times = [RolloutTime(1, AT - timedelta(days=9), 5.2 * 86_400, True)]
    assert bars(rollout_chart(times, AT)) == [("Build 1", "5 days")]
    assert bars(rollout_chart([RolloutTime(1, AT - timedelta(days=9), None, True)], AT)) == [
        ("Build 1", "Not yet, 9 days so far")
    ]


def test_storage_is_compared_with_the_largest_in_one_unit() -> None:
    shown = [PartnerUsage("p1", "Kite", 2, 30 * GIB, 10 * GIB), PartnerUsage("p2", "Moth", 1, 2 * GIB, 0)]
    chart = partners_chart(shown, 5, lambda partner_id: f"/p/{partner_id}")
    assert bars(chart) == [("Kite", "40.0 GiB"), ("Moth", "2.0 GiB")]
    assert chart is not None
    assert [bar.parts for bar in chart.bars] == [
        [Part(0, 750, "full"), Part(750, 250, "light")],
        [Part(0, 50, "full")],
    ]
    assert [text(cell) for cell in chart.bars[0].cells] == ["2", "30.0", "10.0", "40.0"]
    assert chart.headings == ("Partner", "Games", "Archives (GiB)", "Packs (GiB)", "Together (GiB)")
    assert (chart.more, chart.bars[0].url) == ("3 more partners use less.", "/p/p1")


def test_a_deleted_game_says_so_and_its_partner_is_named_for_operators() -> None:
    game = GameUsage("game_1", "Low Tide", "low-tide", True, "p1", "Kite", 2, GIB, 0)
    for with_partner, words in (
        (True, "Kite, deleted, freed soon, 2 builds"),
        (False, "deleted, freed soon, 2 builds"),
    ):
        chart = games_chart([game], "", lambda _: "", with_partner=with_partner)
        assert chart is not None
        assert text(chart.bars[0].second) == words
