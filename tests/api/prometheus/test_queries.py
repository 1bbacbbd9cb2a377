"""query, query_range and their limits."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend

from dozor.api.prometheus import queries
from dozor.model.labels import Labels
from dozor.model.sample import Sample


@pytest.fixture(autouse=True)
def samples(backend: FakeBackend) -> None:
    for age in range(60, -1, -1):
        backend.store.append(AT - age, [Sample("requests_total", Labels(route=route), 60.0 - age) for route in "abc"])


def test_now_is_meant_where_no_time_is_given(api: TestClient) -> None:
    found = api.get("query", params={"query": 'requests_total{route="a"}'}).json()["data"]["result"]
    assert found == [{"metric": {"__name__": "requests_total", "route": "a"}, "value": [int(AT), "60"]}]


def test_lookback_may_be_given(api: TestClient) -> None:
    later: dict[str, Any] = {"query": "requests_total", "time": AT + 100}
    assert len(api.get("query", params=later).json()["data"]["result"]) == 3
    assert api.get("query", params={**later, "lookback_delta": "1m"}).json()["data"]["result"] == []
    assert len(api.get("query", params={**later, "lookback_delta": "0"}).json()["data"]["result"]) == 3


@pytest.mark.parametrize("path", ["query", "query_range"])
def test_series_beyond_the_limit_are_left_out_and_that_is_said(api: TestClient, path: str) -> None:
    wanted: dict[str, Any] = {"query": "requests_total", "limit": 2, "start": AT - 10, "end": AT, "step": 5}
    answer = api.get(path, params=wanted).json()
    assert len(answer["data"]["result"]) == 2
    assert answer["warnings"] == ["results truncated due to limit"]
    assert "warnings" not in api.get(path, params={**wanted, "limit": 3}).json()


def test_statistics_are_given_where_they_are_asked_for(api: TestClient) -> None:
    statistics = api.get("query", params={"query": "rate(requests_total[1m])", "stats": "all"}).json()["data"]["stats"]
    assert statistics["samples"]["totalQueryableSamples"] == 180
    assert statistics["timings"]["evalTotalTime"] > 0


def test_notes_stand_beside_the_data(api: TestClient) -> None:
    answer = api.get("query", params={"query": "quantile(7, requests_total)"}).json()
    assert answer["warnings"]


def test_what_cannot_be_evaluated_is_an_error_of_execution(api: TestClient) -> None:
    response = api.get("query", params={"query": "requests_total + on () requests_total"})
    assert (response.status_code, response.json()["errorType"]) == (422, "execution")


def test_a_timeout_is_an_error_of_its_own(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_SECONDS", 1e-9)
    for timeout in ("1h", "0", "-5"):
        response = api.get("query", params={"query": "sum(rate(requests_total[1m]))", "timeout": timeout})
        assert (response.status_code, response.json()["errorType"]) == (503, "timeout")


@pytest.mark.parametrize("wanted", ["query?query=requests_total[2m]", "query_range?query=requests_total"])
def test_a_result_that_is_too_large_is_refused(api: TestClient, monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setattr(queries, "MAX_POINTS", 182)
    response = api.get(f"{wanted}&start={AT - 60}&end={AT}&step=1")
    assert (response.status_code, response.json()["errorType"]) == (422, "execution")
    assert "more than 182 points" in response.json()["error"]


def test_there_are_no_exemplars(api: TestClient) -> None:
    assert api.get("query_exemplars?query=up").json()["data"] == []
    assert api.get("query_exemplars?query=(").status_code == 400


def test_an_expression_is_laid_out(api: TestClient) -> None:
    assert api.get("format_query?query=sum(up)by(job)").json()["data"] == "sum by (job) (up)"
