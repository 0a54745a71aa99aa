"""Grafana's dashboard in deploy/: every metric that it and the alert rules name is in a scrape of the app."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.refusals import Refusal
from tests.app.monitoring.scraping import scrape
from tests.conftest import ROOT, Cast

DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "slipway.json").read_text())
RULES = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text()
METRIC = re.compile(r"\b((?:slipway|process)_[a-z_]+)\b(?!\s*=)")


def targets() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel, target


def named_metrics() -> set[str]:
    """Of all expressions, without what stands in quotes."""
    expressions = [target["expr"] for _, target in targets()]
    expressions += ["".join(found) for found in re.findall(r"expr: (?:\|\n((?: {10,}.*\n)+)|(.*))", RULES)]
    return {name for text in expressions for name in METRIC.findall(re.sub(r'"[^"]*"', "", text))}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_metric_that_is_named_is_in_a_scrape(app: Flask, client: FlaskClient, cast: Cast) -> None:
    client.get("/livez")
    client.get("/api/nothing")
    bucket = app.extensions["slipway_bucket"]
    with pytest.raises(Refusal):
        bucket.put_part("archives/none.tar.gz", "no such transfer", 1, [b"x"])

    there = {name for name, _ in scrape(client).samples}

    named = named_metrics()
    assert named - there == set()
    assert len(named) > 25


def test_every_metric_of_ours_is_shown() -> None:
    """What nobody looks at need not be measured. The times until a response begins are shown by their buckets."""
    named = named_metrics()
    for metric in (ROOT / "app").rglob("*.py"):
        for name in re.findall(
            r'(?:Gauge|Counter|Histogram|GaugeMetricFamily)\(\s*"(slipway_\w+)"', metric.read_text()
        ):
            assert {name, f"{name}_total", f"{name}_bucket"} & named, name


def test_panels_have_titles_a_data_source_and_places_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids))
    places = set()
    for panel in panels:
        assert panel["title"]
        where = panel["gridPos"]
        for x in range(where["x"], where["x"] + where["w"]):
            assert x < 24
            for y in range(where["y"], where["y"] + where["h"]):
                assert (x, y) not in places, panel["title"]
                places.add((x, y))
    for panel, target in targets():
        assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
