"""Whatever goes wrong is said as Prometheus says it."""

import logging
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend

from dozor.api import PREFIX, build_router
from dozor.api.backend import Access

UP = f"{PREFIX}/prometheus/api/v1/query?query=up"


def client_of(backend: FakeBackend) -> TestClient:
    app = FastAPI()
    app.router.routes += build_router(backend).routes
    return TestClient(app)


def error_of(response: Any) -> tuple[int, str, str]:
    answer = response.json()
    assert answer["status"] == "error"
    return response.status_code, answer["errorType"], answer["error"]


def test_a_key_is_asked_for_in_the_envelope(backend: FakeBackend) -> None:
    backend.access = Access(api_key="s3cret")
    client = client_of(backend)
    refused = client.get(UP)
    assert error_of(refused)[:2] == (401, "unauthorized")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert client.get(UP, headers={"authorization": "Bearer s3cret"}).status_code == 200
    assert client.post(UP, headers={"x-api-key": "s3cret"}).status_code == 200


def test_strangers_and_pages_of_other_sites_are_refused(api: TestClient) -> None:
    assert error_of(api.get("query?query=up", headers={"x-forwarded-for": "1.2.3.4"}))[:2] == (403, "forbidden")
    assert error_of(api.post("query", headers={"origin": "http://evil.example"}))[:2] == (403, "forbidden")


def test_an_applications_own_refusal_is_passed_on(backend: FakeBackend) -> None:
    async def nobody() -> None:
        raise HTTPException(403, "engineers only")

    backend.access = Access(dependency=nobody)
    assert error_of(client_of(backend).get(UP)) == (403, "forbidden", "engineers only")


def test_a_body_of_ten_megabytes_is_not_read(api: TestClient) -> None:
    body = b"query=" + b"1" * 10_000_000
    response = api.post("query", content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert error_of(response)[:2] == (413, "bad_data")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "PUT"])
def test_other_methods_are_not_allowed(api: TestClient, method: str) -> None:
    response = api.request(method, "query")
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "POST"}


def test_without_a_store_there_is_no_answer_yet(api: TestClient, backend: FakeBackend) -> None:
    backend.running = False
    response = api.get("query?query=up")
    assert error_of(response)[:2] == (503, "unavailable")
    assert response.headers["retry-after"]


def test_a_mistake_of_dozors_is_contained(
    api: TestClient, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.store = None  # type: ignore[assignment]
    with caplog.at_level(logging.CRITICAL):
        assert error_of(api.get("query?query=up"))[:2] == (500, "internal")


def test_answers_are_not_cached(api: TestClient) -> None:
    response = api.get("query?query=1")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"
