"""Collectors as targets."""

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend

from dozor.model.collector import CollectorHealth


@pytest.fixture(autouse=True)
def collectors(backend: FakeBackend) -> None:
    backend.collected = [
        CollectorHealth("host", 0.5, None, AT, 0.002),
        CollectorHealth("redis:cache", 70.0, "timeout", AT, 0.8),
        CollectorHealth("redis:queue", 0.0, None, None, None),
    ]


def test_a_collector_is_a_target(api: TestClient) -> None:
    found = api.get("targets").json()["data"]
    host, cache, queue = found["activeTargets"]
    assert host == {
        "discoveredLabels": {"collector": "host"},
        "labels": {"collector": "host"},
        "scrapePool": "host",
        "scrapeUrl": "host",
        "globalUrl": "host",
        "lastError": "",
        "lastScrape": "2027-01-15T08:00:00.000Z",
        "lastScrapeDuration": 0.002,
        "health": "up",
        "scrapeInterval": "1s",
        "scrapeTimeout": "1s",
    }
    assert (cache["health"], cache["lastError"]) == ("down", "timeout")
    assert (queue["health"], queue["lastScrape"]) == ("unknown", "0001-01-01T00:00:00Z")
    assert found["droppedTargets"] == []


@pytest.mark.parametrize(
    ("wanted", "count"), [("state=active", 3), ("state=any", 3), ("state=dropped", 0), ("scrapePool=redis", 2)]
)
def test_targets_are_chosen(api: TestClient, wanted: str, count: int) -> None:
    assert len(api.get(f"targets?{wanted}").json()["data"]["activeTargets"]) == count
