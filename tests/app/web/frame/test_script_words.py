"""Words that the page's script and the server both write are the same words: run in Node."""

from __future__ import annotations

from app.catalog.games_by_id import slug_of
from app.web.frame.formats import counted, format_size
from tests.app.web.scripts import module, run

SIZES = [0, 1, 999, 1000, 1499, 999_499, 999_500, 1_049_000, 4_700_000_123, 99_940_000_000, 99_960_000_000, 7 * 10**15]


def test_sizes_are_those_of_the_server() -> None:
    script = f"import {{ size }} from {module('byte-sizes.js')}; console.log(JSON.stringify(given.map(size)));"

    assert run(script, SIZES) == [format_size(amount) for amount in SIZES]


def test_counts_are_those_of_the_server() -> None:
    counts = [0, 1, 2, 1204]
    script = f"""
        import {{ counted }} from {module("counted.js")};
        console.log(JSON.stringify(given.map((count) => counted(count, "file"))));
    """

    assert run(script, counts) == [counted(count, "file") for count in counts]


def test_slugs_are_those_of_the_server() -> None:
    titles = ["Paper Lanterns", "Été: Après", "  Fünf  Häuser!", "ﬁne — 2", "a" * 99 + " b c", "--x--"]
    script = f"import {{ slugOf }} from {module('forms/slug.js')}; console.log(JSON.stringify(given.map(slugOf)));"

    assert run(script, titles) == [slug_of(title) for title in titles]


def test_moments_in_the_words_of_each_form() -> None:
    """Fixed moments, all in UTC, seen from Sunday, 22 November 2026, 10:41."""
    cases = [
        ("moment", "2026-11-22T10:40:52Z", "8\u00a0s ago"),
        ("moment", "2026-11-22T10:35:00Z", "6\u00a0min ago"),
        ("moment", "2026-11-22T08:31:00Z", "Today, 08:31"),
        ("moment", "2025-09-14T17:20:00Z", "14 Sep 2025, 17:20"),
        ("within", "2026-11-21T10:38:00Z", "yesterday, 10:38"),
        ("brief", "2026-11-22T08:31:00Z", "2\u00a0h ago"),
        ("brief", "2026-11-21T23:38:00Z", "11\u00a0h ago"),
        ("brief", "2026-11-21T10:38:00Z", "Yesterday"),
        ("made", "2026-11-18T10:38:00Z", "18 Nov"),
        ("recent", "2026-11-22T10:27:00Z", "14\u00a0min ago"),
        ("end", "2026-11-29T10:41:00Z", "29 Nov, 10:41"),
        ("coming", "2026-11-23T10:41:00Z", "tomorrow, 10:41"),
        ("since", "2026-11-22T08:31:00Z", "08:31"),
        ("since", "2026-11-21T23:38:00Z", "23:38"),
        ("since", "2026-11-21T10:38:00Z", "21 Nov"),
        ("since", "2026-11-14T08:31:00Z", "14 Nov"),
        ("until", "2026-11-22T10:41:40Z", "in 40\u00a0s"),
        ("until", "2026-11-22T10:43:01Z", "in 3\u00a0min"),
        ("until", "2026-11-22T10:40:00Z", "now"),
        ("day", "2026-11-18T10:38:00Z", "18 Nov"),
        ("exact", "2026-11-18T10:38:09Z", "10:38:09"),
    ]
    script = f"""
        process.env.TZ = "UTC";
        const {{ formOf }} = await import({module("times/time-words.js")});
        const now = new Date("2026-11-22T10:41:00Z");
        console.log(JSON.stringify(given.map(([form, at]) => formOf(form)(new Date(at), now))));
    """

    assert run(script, [case[:2] for case in cases]) == [words for _, _, words in cases]
