"""What there is to ask for."""

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend

from dozor.api.prometheus.catalogue import unescaped
from dozor.model.labels import Labels
from dozor.model.sample import Sample


@pytest.fixture(autouse=True)
def samples(backend: FakeBackend) -> None:
    backend.store.append(AT - 600, [Sample("old", Labels({"job": "a", "http.route": "/"}), 1.0)])
    backend.store.append(AT, [Sample("up", Labels(job=job), 1.0) for job in "cb"])


EARLY, LATE = {"end": AT - 600}, {"start": AT}


@pytest.mark.parametrize(
    ("path", "wanted", "found"),
    [
        ("labels", {}, ["__name__", "http.route", "job"]),
        ("labels", LATE, ["__name__", "job"]),
        ("labels", {"match[]": ["old", "nothing"]}, ["__name__", "http.route", "job"]),
        ("labels", {"start": AT + 1, "end": AT}, []),
        ("label/job/values", {}, ["a", "b", "c"]),
        ("label/job/values", EARLY, ["a"]),
        ("label/job/values", {"match[]": "up"}, ["b", "c"]),
        ("label/http.route/values", {}, ["/"]),
        ("label/U__http_2e_route/values", {}, ["/"]),
        ("label/nothing/values", {}, []),
        ("series", {"match[]": "up"}, [{"__name__": "up", "job": "b"}, {"__name__": "up", "job": "c"}]),
        ("series", {"match[]": ["up", "up"], "limit": 0, **EARLY}, []),
    ],
)
def test_names_values_and_series_are_those_of_the_time(
    api: TestClient, path: str, wanted: dict[str, object], found: list[object]
) -> None:
    answer = api.get(path, params=wanted).json()  # type: ignore[arg-type]
    assert answer == {"status": "success", "data": found}


def test_a_list_is_cut_at_its_limit(api: TestClient) -> None:
    answer = api.get("label/job/values?limit=2").json()
    assert answer["data"] == ["a", "b"]
    assert answer["warnings"] == ["results truncated due to limit"]


@pytest.mark.parametrize(
    ("escaped", "name"),
    [
        ("job", "job"),
        ("U__a_2e_b", "a.b"),
        ("U__snake__case", "snake_case"),
        ("U___1f600_", "😀"),
        ("U___ffffff_", "_ffffff_"),
        ("U__open_", "open_"),
    ],
)
def test_an_escaped_name_is_read(escaped: str, name: str) -> None:
    assert unescaped(escaped) == name


def test_metadata_say_what_a_metric_is(api: TestClient) -> None:
    found = api.get("metadata").json()["data"]
    assert found["db_pool_timeouts_total"] == [{"type": "counter", "help": "db_pool_timeouts_total.", "unit": ""}]
    assert found["db_pool_wait_seconds"][0]["type"] == "histogram"
    assert list(api.get("metadata?metric=db_pool_size").json()["data"]) == ["db_pool_size"]
    assert len(api.get("metadata?limit=2").json()["data"]) == 2
    assert api.get("metadata?limit=0").json()["data"] == {}
    assert len(api.get("metadata?limit=2&limit_per_metric=1").json()["data"]) == 2
    assert api.get("metadata?limit_per_metric=few").json()["error"] == "limit_per_metric must be a number"
