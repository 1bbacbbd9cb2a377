"""A backend in memory, and clients that come from this machine."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend

from dozor import dashboard
from dozor.api import create_app
from dozor.testing import FakeClock


@pytest.fixture(scope="session")
def served() -> tuple[FastAPI, FakeBackend]:
    """To build an application takes longer than all that most tests do with it: one serves them all."""
    backend = FakeBackend(FakeClock())
    return create_app(backend, pages=dashboard), backend


@pytest.fixture
def clock(served: tuple[FastAPI, FakeBackend]) -> FakeClock:
    clock = served[1].clock
    FakeClock.__init__(clock)
    return clock


@pytest.fixture
def backend(served: tuple[FastAPI, FakeBackend], clock: FakeClock) -> FakeBackend:
    """As good as new."""
    backend = served[1]
    vars(backend).clear()
    FakeBackend.__init__(backend, clock)
    return backend


@pytest.fixture
def client(served: tuple[FastAPI, FakeBackend], backend: FakeBackend) -> TestClient:
    app, _ = served
    return TestClient(app, base_url="http://localhost", client=("127.0.0.1", 4711), follow_redirects=False)


@pytest.fixture
def api(client: TestClient) -> TestClient:
    client.base_url = client.base_url.join("/api/v1/monitoring/")
    return client
