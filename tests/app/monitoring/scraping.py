"""Scrapes of /metrics, read with the library's own parser."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, str]]]


@dataclass
class Scrape:
    """`samples` maps name and labels of each series to its value. `kinds` maps each series' name to its type."""

    text: str
    samples: dict[Series, float] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for family in text_string_to_metric_families(self.text):
            for sample in family.samples:
                series = (sample.name, frozenset(sample.labels.items()))
                assert series not in self.samples, f"{series} is there twice"
                self.samples[series] = sample.value
                self.kinds[sample.name] = family.type

    def value(self, name: str, **labels: str) -> float:
        """The value of one series; 0 for a series of a counter that was never increased."""
        return self.samples.get((name, frozenset(labels.items())), 0.0)

    def labels(self, name: str, label: str) -> set[str]:
        """All values of a label."""
        return {dict(labels)[label] for found, labels in self.samples if found == name}


def scrape(client: FlaskClient) -> Scrape:
    """What Prometheus on this machine gets."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    return Scrape(answer.text)
