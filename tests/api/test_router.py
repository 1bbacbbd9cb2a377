"""All routes together: the contract's eighteen, embedded and alone."""

from typing import Any

import pytest
import schemathesis
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.api.fake_backend import FakeBackend, a_command, a_letter, a_query, a_silence, an_alert, busy
from tests.chaos import examples

from dozor import dashboard
from dozor.api import PREFIX, build_probes, build_router, create_app
from dozor.model.alert import Severity
from dozor.testing import FakeClock

EIGHTEEN = {
    *(("get", f"{PREFIX}/pool/{name}") for name in ("status", "metrics", "statistics", "slow-queries")),
    *(("get", f"{PREFIX}/redis/{name}") for name in ("status", "metrics", "info", "slow-log")),
    *(("get", f"{PREFIX}/alerts/{name}") for name in ("active", "history", "statistics", "rules")),
    *(("post", f"{PREFIX}/alerts/{{alert_id}}/{name}") for name in ("acknowledge", "silence", "resolve")),
    ("get", f"{PREFIX}/system/health"),
    ("get", f"{PREFIX}/metrics/all"),
    ("get", f"{PREFIX}/dashboard/overview"),
}


MORE = {
    *(
        ("get", f"{PREFIX}/{path}")
        for path in ("http/routes", "http/in-flight", "http/slow-requests", "runtime/stalls")
    ),
    ("get", f"{PREFIX}/alerts/{{alert_id}}"),
    *((method, f"{PREFIX}/alerts/{{alert_id}}/notes") for method in ("get", "post")),
    *((method, f"{PREFIX}/silences") for method in ("get", "post")),
    *((method, f"{PREFIX}/silences/{{silence_id}}") for method in ("get", "put", "delete")),
    ("post", f"{PREFIX}/silences/preview"),
    ("get", f"{PREFIX}/channels"),
    ("post", f"{PREFIX}/channels/{{name}}/test"),
    ("get", f"{PREFIX}/notifications"),
    ("post", f"{PREFIX}/notifications/retry"),
    ("post", f"{PREFIX}/notifications/{{notification_id}}/retry"),
}
CREATING = {key for key in MORE if key[0] == "post" and key[1].endswith(("/silences", "/notes"))}


def routes_of(app: FastAPI | APIRouter) -> list[APIRoute]:
    """All routes, which are flat."""
    assert all(isinstance(route, APIRoute) for route in app.routes)
    return [route for route in app.routes if isinstance(route, APIRoute)]


def described(app: Any) -> Any:
    return {
        (method, path): operation for path, item in app.openapi()["paths"].items() for method, operation in item.items()
    }


def test_the_eighteen_and_more_are_described_with_examples_and_every_error(backend: FakeBackend) -> None:
    app = create_app(backend, pages=dashboard)
    operations = described(app)
    schemas = app.openapi()["components"]["schemas"]
    assert len(EIGHTEEN) == 18
    assert set(operations) >= EIGHTEEN | MORE
    for key in EIGHTEEN | MORE:
        operation = operations[key]
        good = "201" if key in CREATING else "200"
        answer = operation["responses"][good]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert schemas[answer]["examples"], key
        assert {"401", "403", "500", "503"} <= set(operation["responses"]), key
        assert operation["summary"], key
        for status, response in operation["responses"].items():
            assert status == good or set(response["content"]) == {"application/problem+json"}, key
    assert [operation["tags"] for operation in operations.values() if len(operation["tags"]) != 1] == []
    assert len({operation["operationId"] for operation in operations.values()}) == len(operations)


def test_an_application_describes_them_too(backend: FakeBackend) -> None:
    app = FastAPI()
    app.router.routes += build_router(backend, pages=dashboard).routes
    assert set(described(app)) >= EIGHTEEN


def test_embedded_everything_stands_below_the_prefix_and_nothing_else(backend: FakeBackend) -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes += build_router(backend, pages=dashboard).routes
    client = TestClient(app, follow_redirects=False)
    for name in ("", "health", "livez", "readyz", "metrics", "style.css"):
        assert client.get(f"{PREFIX}/{name}").status_code == 200, name
    moved = client.get(PREFIX)
    assert (moved.status_code, moved.headers["location"]) == (307, "monitoring/")
    for path in ("/", "/health", "/metrics", "/docs", "/openapi.json", f"{PREFIX}/docs"):
        assert client.get(path).status_code == 404, path


def test_probes_at_the_root_are_added_one_by_one(backend: FakeBackend) -> None:
    paths = {route.path for route in routes_of(build_probes(backend, ["/livez", "/metrics"]))}
    assert paths == {"/livez", "/metrics"}


def test_alone_the_page_the_description_and_the_probes_are_at_the_root(client: TestClient) -> None:
    for path in ("/", "/docs", "/openapi.json", "/health", "/livez", "/readyz", "/metrics", f"{PREFIX}/"):
        assert client.get(path).status_code == 200, path


def test_no_route_runs_in_a_thread_pool(backend: FakeBackend) -> None:
    from inspect import iscoroutinefunction

    for route in routes_of(create_app(backend, pages=dashboard)):
        assert iscoroutinefunction(route.endpoint), route.path
        pending = list(route.dependant.dependencies)
        for dependency in pending:
            assert iscoroutinefunction(dependency.call), (route.path, dependency.call)
            pending.extend(dependency.dependencies)


def exercised() -> Any:
    backend = busy(FakeBackend(FakeClock()))
    # No critical one: /readyz would be 503, which the checks cannot tell from a crash.
    backend.add(an_alert(severity=Severity.WARNING), an_alert(id="p", fired_at=None))
    backend.queries, backend.commands = [a_query("SELECT 1")], [a_command("KEYS")]
    backend.by_matchers["s1"], backend.letters[1] = a_silence(), a_letter(1)
    return create_app(backend)


# A stream does not end: test_stream.py reads it.
schema = schemathesis.openapi.from_asgi("/openapi.json", exercised()).exclude(path_regex="/stream$")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@schema.parametrize()
@settings(max_examples=examples(4), deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_answers_are_what_the_description_says(case: Any) -> None:
    case.call_and_validate(checks=CHECKS)


@pytest.mark.parametrize("name", ["alert_id"])
def test_parameters_of_the_actions_are_described(backend: FakeBackend, name: Any) -> None:
    operation = described(create_app(backend))["post", f"{PREFIX}/alerts/{{alert_id}}/silence"]
    assert [parameter["name"] for parameter in operation["parameters"]] == [name]
    assert "duration" in operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
