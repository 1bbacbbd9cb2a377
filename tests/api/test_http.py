"""http/… and runtime/…: routes with their shares, what is in flight, what was slow, what blocked the loop."""

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend

from dozor.instruments.http_answers import RequestInFlight, SlowRequest, Spent
from dozor.model.labels import Labels
from dozor.model.sample import Sample


def _count(backend: FakeBackend, route: str, le: str, **spent: float) -> None:
    """Twice a second for five minutes, each request taking 0.5 s and falling into the bucket *le*."""
    labels = Labels(method="GET", route=route)
    for step in range(0, 301, 15):
        requests = 2.0 * step
        buckets = {bound: requests if float(bound) >= float(le) else 0.0 for bound in ("0.5", "1.0", "+Inf")}
        samples = [
            Sample("http_request_duration_seconds_count", labels, requests),
            Sample("http_request_duration_seconds_sum", labels, requests / 2),
            Sample("http_requests_total", labels.with_({"status": "200"}), requests),
            *(
                Sample("http_request_duration_seconds_bucket", labels.with_({"le": bound}), value)
                for bound, value in buckets.items()
            ),
            *(Sample(f"http_request_{name}_total", labels, each * requests) for name, each in spent.items()),
        ]
        backend.store.append(AT - 300 + step, samples)


def test_a_slow_route_explains_itself(api: TestClient, backend: FakeBackend) -> None:
    _count(backend, "/quick", "0.5")
    _count(backend, "/slow", "1.0", database_seconds=0.3, pool_wait_seconds=0.1, statements=31.0)
    found = api.get("http/routes", params={"window": "5m"}).json()
    assert (found["total"], found["window_seconds"]) == (2, 300.0)
    slow, quick = found["routes"]
    assert (slow["method"], slow["route"], quick["route"]) == ("GET", "/slow", "/quick")
    assert (slow["requests_per_second"], slow["mean_seconds"], slow["busy"]) == (2.0, 0.5, 1.0)
    assert slow["shares"] == {"database": 60.0, "pool_wait": 20.0}
    assert (slow["statements_per_request"], quick["statements_per_request"]) == (31.0, 0.0)
    assert slow["p95_seconds"] > quick["p95_seconds"]
    assert quick["shares"] == {}


def test_rates_are_those_of_the_time_on_watch_where_the_window_is_longer(api: TestClient, backend: FakeBackend) -> None:
    _count(backend, "/a", "0.5")
    assert api.get("http/routes", params={"window": "20m"}).json()["routes"][0]["requests_per_second"] < 1.0
    for step in range(0, 301, 15):
        backend.store.append(AT - 300 + step, [Sample("dozor_store_samples", Labels(), 1.0)])
    for window in ("1m", "5m", "20m"):
        [route] = api.get("http/routes", params={"window": window}).json()["routes"]
        assert (route["requests_per_second"], route["busy"]) == (
            pytest.approx(2.0, rel=0.1),
            pytest.approx(1.0, rel=0.1),
        )


def test_what_is_done_at_once_may_add_up_to_more_than_the_whole(api: TestClient, backend: FakeBackend) -> None:
    _count(backend, "/fan-out", "1.0", database_seconds=2.0)
    [route] = api.get("http/routes").json()["routes"]
    assert route["shares"] == {"database": 400.0}


def test_without_requests_there_are_no_routes(api: TestClient) -> None:
    assert api.get("http/routes").json()["routes"] == []


@pytest.mark.parametrize("window", ["5", "1s", "2d", "soon", "-5m"])
def test_a_window_that_is_none_is_refused(api: TestClient, window: str) -> None:
    answer = api.get("http/routes", params={"window": window})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "window"


def test_what_is_in_flight_says_where_it_is(api: TestClient, backend: FakeBackend) -> None:
    spent = Spent(wait_seconds=1.5, statements=2)
    backend.in_flight = [
        RequestInFlight(
            "GET", "/orders/{id}", 4.2, None, spent, "waiting for a connection", "orders.py:88 in list_orders"
        ),
        RequestInFlight("GET", "/stream", 1.0, 200, Spent(), None, None),
    ]
    found = api.get("http/in-flight", params={"limit": 1}).json()
    assert found["total"] == 2
    [request] = found["requests"]
    assert request == {
        "method": "GET",
        "route": "/orders/{id}",
        "age_seconds": 4.2,
        "status": None,
        "doing": "waiting for a connection",
        "place": "orders.py:88 in list_orders",
        "spent": {
            "pool_wait_seconds": 1.5,
            "database_seconds": 0.0,
            "redis_seconds": 0.0,
            "statements": 2,
            "redis_commands": 0,
        },
    }


def test_slow_requests_are_pages_with_the_shares_of_each(api: TestClient, backend: FakeBackend) -> None:
    backend.slow = [SlowRequest(AT - n, "GET", f"/{n}", 200, 2.0, Spent(0.5, 1.0, 0.0, 3, 0)) for n in range(3)]
    page = api.get("http/slow-requests", params={"limit": 2}).json()
    assert [entry["route"] for entry in page["entries"]] == ["/0", "/1"]
    assert (page["total"], page["threshold_ms"]) == (3, 1000.0)
    assert page["entries"][0]["shares"] == {"database": 50.0, "pool_wait": 25.0}
    assert page["entries"][0]["duration_ms"] == 2000.0
    following = api.get("http/slow-requests", params={"cursor": page["next_cursor"]}).json()
    assert [entry["route"] for entry in following["entries"]] == ["/2"]


def test_stalls_are_the_newest_first_and_those_under_way_before_them(api: TestClient, backend: FakeBackend) -> None:
    backend.stalled.came(1, 0.5, AT - 60)
    backend.stalled.came(1, 0.75, AT - 30)
    backend.stalled.overdue(1, None, 0.3, AT)
    found = api.get("runtime/stalls").json()
    assert [(stall["seconds"], stall["ended"]) for stall in found["stalls"]] == [
        (0.3, False),
        (0.75, True),
        (0.5, True),
    ]
    assert (found["total"], found["seconds_total"], found["threshold_ms"]) == (2, 1.25, 250.0)
