"""Prometheus's own tool, which checks rules and evaluates them over series that a test gives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.app.monitoring.scraping import Scrape, Series

MINUTES = 60  # from the first sample to the question which alerts fire: more than any rule's `for`


def installed(program: str) -> str:
    """The path of a program of Prometheus. Skips if it is missing, or fails if REQUIRE_PROMTOOL is set (CI)."""
    found = shutil.which(program)
    if found is None:
        missing = f"{program} is missing; run `apt-get install prometheus`"
        if os.environ.get("REQUIRE_PROMTOOL"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def run_promtool(*arguments: str | Path, given: str = "") -> str:
    """Run it with a text on its standard input; its output."""
    done = subprocess.run(
        [installed("promtool"), *map(str, arguments)], input=given, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def input_series(before: Scrape, after: Scrape) -> list[dict[str, str]]:
    """A history of an hour: gauges stay as they are, counters grow each minute by what the app counted in between."""
    found = []
    for series, value in after.samples.items():
        grows = after.kinds[series[0]] in {"counter", "histogram"}
        step = value - before.samples.get(series, 0.0) if grows else 0.0
        found.append({"series": _written(series), "values": f"{value:.17g}+{step:.17g}x{2 * MINUTES}"})
    return found


def rule_test(name: str, series: Iterable[Mapping[str, str]], alerts: Mapping[str, bool]) -> dict[str, Any]:
    """A test for promtool: which of the alerts fire after an hour."""
    return {
        "name": name,
        "interval": "1m",
        "input_series": list(series),
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) > bool 0 or vector(0)',
                "eval_time": f"{MINUTES}m",
                "exp_samples": [{"labels": "{}", "value": int(fires)}],
            }
            for alert, fires in alerts.items()
        ],
    }


def check_rules(rules: Path, tests: list[dict[str, Any]], folder: Path) -> None:
    """Run the tests. A file of JSON is one of YAML too."""
    file = folder / "rules.test.json"
    file.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}))
    run_promtool("test", "rules", file)


def _written(series: Series) -> str:
    name, labels = series
    return f"{name}{{{', '.join(f'{label}={json.dumps(value)}' for label, value in sorted(labels))}}}"
