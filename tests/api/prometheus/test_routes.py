"""Where the API stands."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend

from dozor.api import PREFIX, build_router, create_app

PATHS = ["query?query=1", "labels", "label/job/values", "metadata", "rules", "alerts", "targets", "status/buildinfo"]


def test_alone_it_is_at_the_root_too(backend: FakeBackend) -> None:
    client = TestClient(create_app(backend))
    for path in PATHS:
        assert client.get(f"/api/v1/{path}").json() == client.get(f"{PREFIX}/prometheus/api/v1/{path}").json(), path


def test_embedded_it_is_below_the_prefix_only(backend: FakeBackend) -> None:
    app = FastAPI()
    app.router.routes += build_router(backend).routes
    client = TestClient(app)
    for path in PATHS:
        assert client.get(f"{PREFIX}/prometheus/api/v1/{path}").status_code == 200, path
        assert client.get(f"/api/v1/{path}").status_code == 404, path


@pytest.mark.parametrize("path", ["query", "query_range", "query_exemplars", "format_query", "series", "labels"])
def test_what_may_be_long_may_be_posted(api: TestClient, path: str) -> None:
    form = {"query": "up", "match[]": "up", "start": "1", "end": "2", "step": "1"}
    assert api.post(path, data=form).json() == api.get(path, params={**form, "time": ""}).json()


def test_the_description_does_not_repeat_what_prometheus_describes(backend: FakeBackend) -> None:
    assert [path for path in create_app(backend).openapi()["paths"] if "prometheus" in path] == []
