"""A backend in memory, and clients that come from this machine."""

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend

from dozor import dashboard
from dozor.api import create_app
from dozor.testing import FakeClock


@pytest.fixture
def backend(clock: FakeClock) -> FakeBackend:
    return FakeBackend(clock)


@pytest.fixture
def client(backend: FakeBackend) -> TestClient:
    app = create_app(backend, pages=dashboard)
    return TestClient(app, base_url="http://localhost", client=("127.0.0.1", 4711), follow_redirects=False)


@pytest.fixture
def api(client: TestClient) -> TestClient:
    client.base_url = client.base_url.join("/api/v1/monitoring/")
    return client
