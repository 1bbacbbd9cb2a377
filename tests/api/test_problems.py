"""Errors on Dozor's routes are problem documents; the application around keeps its own."""

from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from tests.api.fake_backend import FakeBackend

from dozor import containment
from dozor.api import build_router

BASE = "/api/v1/monitoring"


@pytest.fixture
def host(backend: FakeBackend) -> Any:
    app = FastAPI()

    @app.get("/theirs")
    async def theirs(number: int) -> None:
        raise HTTPException(404, "no such order")

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Any:
        return JSONResponse({"their": "validation"}, 400)

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> Any:
        return JSONResponse({"their": "error"}, error.status_code)

    app.router.routes += build_router(backend).routes
    return TestClient(app)


def test_the_application_keeps_its_error_handlers(host: TestClient) -> None:
    assert host.get("/theirs?number=x").json() == {"their": "validation"}
    assert host.get("/theirs?number=1").json() == {"their": "error"}


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/alerts/active?limit=0", 422, "limit"),
        ("GET", "/alerts/history?cursor=nonsense", 422, "cursor"),
        ("POST", "/alerts/nobody/acknowledge", 404, "nobody"),
    ],
)
def test_dozor_answers_with_problem_documents(host: TestClient, method: str, path: str, status: Any, said: Any) -> None:
    answer = host.request(method, BASE + path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert said in problem["detail"]
    assert problem["detail"].endswith(".")


def test_what_was_sent_is_not_repeated(host: TestClient) -> None:
    answer = host.post(f"{BASE}/alerts/a1/silence", json={"password": "s3cr3t"})
    assert answer.status_code == 422
    assert "s3cr3t" not in answer.text


def test_while_dozor_does_not_run_the_answer_is_503_with_retry_after(host: TestClient, backend: FakeBackend) -> None:
    backend.running = False
    answer = host.get(f"{BASE}/pool/status")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert host.get(f"{BASE}/health").status_code == 200


def test_a_mistake_of_dozors_own_is_contained_and_says_nothing_of_the_inside(
    host: TestClient, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "slow_queries", lambda: 1 / 0)
    before = containment.counts().get("api.pool_slow_queries", 0)
    answer = host.get(f"{BASE}/pool/slow-queries")
    assert answer.status_code == 500
    assert "division" not in answer.text
    assert containment.counts()["api.pool_slow_queries"] == before + 1


def test_the_routes_work_in_a_starlette_application_too(backend: FakeBackend) -> None:
    app = Starlette(routes=build_router(backend).routes)
    assert TestClient(app).get(f"{BASE}/pool/status").status_code == 200


def test_an_unknown_path_of_dozors_own_application_is_a_problem(client: TestClient) -> None:
    answer = client.get("/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert client.post("/health").status_code == 405
