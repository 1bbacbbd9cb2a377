"""series: lines for charts."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend, busy

from dozor.model.labels import Labels
from dozor.model.sample import Sample


def test_several_expressions_stand_over_the_same_times(api: TestClient, backend: FakeBackend) -> None:
    busy(backend)
    found = api.get("series", params={"query": ["db_pool_utilization", "sum(rate(http_requests_total[1m]))"]}).json()
    assert found["end"] == "2027-01-15T08:00:00Z"
    assert found["times"] == sorted(found["times"])
    utilization, requests = found["queries"]
    assert (utilization["unit"], requests["unit"]) == ("connections", None)  # as the backend played here says
    [line] = utilization["lines"]
    assert line["labels"] == {"__name__": "db_pool_utilization", "pool": "default"}
    assert len(line["values"]) == len(found["times"]) <= 604
    assert line["max"] in line["values"]
    assert 39 < requests["lines"][0]["last"] < 42


def test_the_worst_lines_are_given_and_the_rest_counted(api: TestClient, backend: FakeBackend) -> None:
    at = backend.clock.timestamp()
    backend.store.append(at - 5, [Sample("g", Labels(pool=str(number)), float(number)) for number in range(30)])
    [found] = api.get("series", params={"query": "g", "lines": 2, "worst": "min"}).json()["queries"]
    assert [line["labels"]["pool"] for line in found["lines"]] == ["0", "1"]
    assert (found["total"], found["omitted"]) == (30, 28)


def test_the_range_is_told_by_its_ends_or_its_length(api: TestClient, backend: FakeBackend) -> None:
    now = backend.clock.now()
    for parameters in (
        {"range": "2h"},
        {"start": (now - timedelta(hours=2)).isoformat()},
        {"start": (now - timedelta(hours=2)).isoformat(), "end": now.isoformat()},
    ):
        found = api.get("series", params={"query": "g", "width": 100, **parameters}).json()
        assert found["bucket_seconds"] == 144.0
        assert found["times"][-1] - found["times"][0] == pytest.approx(7200, abs=150)


def test_one_mistake_among_several_does_not_take_the_others_along(api: TestClient, backend: FakeBackend) -> None:
    busy(backend)
    right, wrong = api.get("series", params={"query": ["db_pool_utilization", "sum("]}).json()["queries"]
    assert right["error"] is None
    assert "sum(" in wrong["error"]
    assert wrong["lines"] == []


@pytest.mark.parametrize(("parameters", "field"), [
    ({"query": "sum("}, "query"),
    ({"query": "g[5m]"}, "query"),
    ({}, "query"),
    ({"query": ["g"] * 25}, "query"),
    ({"query": "g", "range": "soon"}, "range"),
    ({"query": "g", "range": "0"}, "range"),
    ({"query": "g", "range": "2y"}, "range"),
    ({"query": "g", "range": "1h", "start": "2027-01-15T07:00:00Z"}, "range"),
    ({"query": "g", "start": "2027-01-15T09:00:00Z"}, "start"),
    ({"query": "g", "start": "2020-01-15T09:00:00Z"}, "start"),
    ({"query": "g", "width": 1}, "width"),
    ({"query": "g", "lines": 0}, "lines"),
    ({"query": "g", "worst": "best"}, "worst"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(api: TestClient, parameters: dict[str, str], field: str) -> None:
    answer = api.get("series", params=parameters)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(field)


def test_after_the_clock_was_set_times_are_as_people_see_them(api: TestClient, backend: FakeBackend) -> None:
    busy(backend).clock.set_wall(7200)
    found = api.get("series", params={"query": "db_pool_utilization"}).json()
    assert found["end"] == "2027-01-15T10:00:00Z"
    assert found["times"][-1] == pytest.approx(backend.clock.timestamp() + 7200, abs=5)


def test_without_dozors_thread_there_is_no_chart(api: TestClient, backend: FakeBackend) -> None:
    backend.running = False
    assert api.get("series", params={"query": "g"}).status_code == 503
