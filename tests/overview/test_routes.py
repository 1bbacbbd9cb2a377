"""Which routes are slow now."""

from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.overview.routes import RouteLatency, Routes
from dozor.store import MemoryStore

AT = 1_800_000_000.0


def _store(**routes: tuple[float, float]) -> MemoryStore:
    """Each route with requests a second and the bucket (`le`) that all of them fall into, over five minutes."""
    store = MemoryStore()
    for second in range(0, 301, 15):
        samples = []
        for route, (rate, bound) in routes.items():
            labels = {"method": "GET", "route": f"/{route}"}
            count = 1 + rate * second
            samples.append(Sample("http_request_duration_seconds_count", Labels(labels), count))
            samples.append(Sample("http_requests_total", Labels({**labels, "status": "503"}), count))
            for le in (0.1, 1.0, 5.0):
                value = count if bound <= le else 0.0
                samples.append(Sample("http_request_duration_seconds_bucket", Labels({**labels, "le": str(le)}), value))
            samples.append(Sample("http_request_duration_seconds_bucket", Labels({**labels, "le": "+Inf"}), count))
        store.append(AT - 300 + second, samples)
    return store


def test_the_slowest_route_comes_first_and_one_without_traffic_not_at_all() -> None:
    routes = Routes(_store(quick=(2.0, 0.1), slow=(1.0, 5.0), idle=(0.0, 0.1)))
    found = routes.slowest(AT)
    assert [route.route for route in found] == ["/slow", "/quick"]
    assert found[0] == RouteLatency("GET", "/slow", 4.8, 1.0, 1.0)


def test_without_a_middleware_there_are_no_routes() -> None:
    assert Routes(MemoryStore()).slowest(AT) == ()
