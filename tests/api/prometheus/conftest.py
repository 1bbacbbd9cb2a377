"""Prometheus' API over a backend in memory, and nothing beside it."""

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend

from dozor.api import prometheus
from dozor.api.auth import gate, guards


@pytest.fixture
def api(backend: FakeBackend) -> TestClient:
    router = APIRouter(
        prefix="/api/v1",
        route_class=prometheus.PrometheusRoute,
        dependencies=guards(gate(backend.access), backend.access),
    )
    prometheus.add_routes(router, backend)
    app = FastAPI(openapi_url=None)
    app.router.routes += router.routes
    return TestClient(app, base_url="http://localhost/api/v1/", client=("127.0.0.1", 4711), follow_redirects=False)
