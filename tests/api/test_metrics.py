"""metrics/all and /metrics."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from tests.api.fake_backend import FakeBackend

from dozor.metrics import prefers_openmetrics
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample


@pytest.mark.parametrize(
    ("accept", "preferred"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", True),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.9", False),
        ("Application/OpenMetrics-Text; Q=1", True),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=junk", False),
    ],
)
def test_the_accept_header_chooses_the_format(accept: Any, preferred: Any) -> None:
    assert prefers_openmetrics(accept) is preferred


@pytest.mark.parametrize("path", ["/metrics", "/api/v1/monitoring/metrics"])
def test_prometheus_can_read_both_formats(client: TestClient, path: str) -> None:
    text = client.get(path)
    assert text.headers["content-type"].startswith("text/plain; version=")
    assert "db_pool_checked_out" in {family.name for family in plain(text.text)}
    other = client.get(path, headers={"Accept": "application/openmetrics-text"})
    assert other.headers["content-type"].startswith("application/openmetrics-text; version=")
    assert "db_pool_checked_out" in {family.name for family in openmetrics(other.text)}  # type: ignore[no-untyped-call]


def test_all_metrics_as_json(api: TestClient, backend: FakeBackend) -> None:
    hostile = '"\n\\<b>' + "x" * 10_000
    family = Family("odd", MetricType.GAUGE, hostile, "", (Sample("odd", Labels(label=hostile), 1.0),))
    broken = Family("broken", MetricType.GAUGE, "", "", (Sample("broken", Labels(label="\ud800"), 1.0),))
    backend.extra_families = [family, broken]
    found = api.get("metrics/all").json()
    metrics = {metric["name"]: metric for metric in found["metrics"]}
    assert metrics["odd"]["samples"] == [{"labels": {"label": hostile}, "value": 1.0}]
    assert metrics["broken"]["samples"][0]["labels"] == {"label": "?"}
    assert {"db_pool_checked_out", "redis_connected"} <= set(metrics)
    assert found["collected_at"] == "2027-01-15T08:00:00Z"


def test_big_answers_are_written_in_dozors_thread(api: TestClient, backend: FakeBackend) -> None:
    before = backend.bridged
    api.get("metrics/all")
    api.get("metrics")
    assert backend.bridged == before + 2
