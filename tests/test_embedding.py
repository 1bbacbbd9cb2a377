"""At home in an application: what of it changes, and what does not."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute
from starlette.types import Scope
from typing_extensions import override

from dozor.embedding import Guest, has_route, install
from dozor.instruments.middleware import HttpMonitor


async def endpoint(_request: Request) -> Response:
    return PlainTextResponse("the application's")


async def ours(_request: Request) -> Response:
    return PlainTextResponse("Dozor's")


def included(path: str) -> BaseRoute:
    router = APIRouter()
    router.add_api_route(path, endpoint)
    app = FastAPI()
    app.include_router(router)
    return app.router.routes[-1]


@pytest.mark.parametrize(
    ("routes", "found"),
    [
        ([Route("/health", endpoint)], True),
        ([Route("/health/", endpoint)], True),
        ([Mount("/health", app=Starlette())], True),
        ([Mount("", routes=[Route("/health", endpoint)])], True),
        ([included("/health")], True),
        ([included("/{path:path}")], False),
        ([Route("/health", endpoint, methods=["POST"])], True),
        ([Route("/{path:path}", endpoint)], False),
        ([Mount("", app=Starlette())], False),
        ([Route("/healthy", endpoint)], False),
        ([WebSocketRoute("/health", endpoint)], False),
        ([], False),
    ],
)
def test_an_application_has_a_route_or_only_one_for_everything(routes: list[BaseRoute], *, found: bool) -> None:
    assert has_route(routes, "/health") is found


@pytest.fixture
def happened() -> list[str]:
    return []


@pytest.fixture
def guest(happened: list[str]) -> Guest:
    async def note(what: str) -> None:
        happened.append(what)

    def application() -> Starlette:
        prefixed = Route("/api/v1/monitoring/pool/status", ours)
        return Starlette(
            routes=[prefixed, *(Route(path, ours) for path in ("/health", "/livez", "/readyz", "/metrics"))]
        )

    return Guest(
        monitor=HttpMonitor(),
        loopback_only=False,
        routes=lambda: [Route("/api/v1/monitoring/pool/status", ours)],
        probes=lambda paths: [Route(path, ours) for path in paths],
        application=application,
        start=lambda: note("Dozor starts"),
        stop=lambda: note("Dozor stops"),
        first_request=lambda: happened.append("first request"),
    )


def counted(guest: Guest) -> dict[str, float]:
    family = next(family for family in guest.monitor.families() if family.name == "http_requests_total")
    return {sample.labels["route"]: sample.value for sample in family.samples}


Make = Callable[..., Starlette]


@pytest.mark.parametrize("make", [FastAPI, Starlette])
def test_dozors_routes_come_before_a_catch_all_and_its_probes_give_way(make: Make, guest: Guest) -> None:
    app = make(routes=[Route("/health", endpoint), Route("/{path:path}", endpoint)])
    install(app, guest)
    with TestClient(app) as client:
        answers = {
            path: client.get(path).text for path in ("/health", "/readyz", "/api/v1/monitoring/pool/status", "/x")
        }
    assert answers == {
        "/health": "the application's",
        "/readyz": "Dozor's",
        "/api/v1/monitoring/pool/status": "Dozor's",
        "/x": "the application's",
    }
    assert counted(guest) == {"/health": 1, "/{path:path}": 1}, "the application's requests, and not Dozor's"


class Asked(Route):
    """A route that notes which paths it is asked about."""

    def __init__(self, path: str, paths: list[str]) -> None:
        super().__init__(path, ours)
        self.paths = paths

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        self.paths.append(scope["path"])
        return super().matches(scope)


def test_none_of_dozors_many_routes_is_asked_about_the_applications_requests(guest: Guest) -> None:
    paths: list[str] = []
    app = FastAPI(routes=[Route("/x", endpoint)])
    own: list[BaseRoute] = [Asked("/api/v1/monitoring/pool/status", paths)]
    install(app, replace(guest, routes=lambda: own))
    with TestClient(app) as client:
        assert client.get("/x").text == "the application's"
        assert paths == []
        assert client.get("/api/v1/monitoring/pool/status").text == "Dozor's"
    assert paths == ["/api/v1/monitoring/pool/status"]


def test_dozors_routes_answer_below_a_root_path_and_refuse_methods_that_they_do_not_know(guest: Guest) -> None:
    app = FastAPI()
    install(app, guest)
    with TestClient(app, root_path="/behind/a/proxy") as client:
        for path in ("/behind/a/proxy/api/v1/monitoring/pool/status", "/api/v1/monitoring/pool/status", "/health"):
            assert client.get(path).text == "Dozor's"
            assert client.post(path).status_code == 405
        assert client.get("/api/v1/monitoring/nowhere").status_code == 404


@pytest.mark.parametrize("make", [FastAPI, Starlette])
def test_the_applications_own_paths_are_still_found_by_name(make: Make, guest: Guest) -> None:
    app = make(routes=[Route("/things/{number}", endpoint, name="thing")])
    install(app, guest)
    with TestClient(app):
        assert app.url_path_for("thing", number=7) == "/things/7"
        assert all(isinstance(getattr(route, "path", None), str) for route in app.routes), "as many tools expect"


def test_the_applications_openapi_document_describes_dozors_routes(guest: Guest) -> None:
    router = APIRouter()
    router.add_api_route("/api/v1/monitoring/pool/status", endpoint)
    app = FastAPI()
    install(app, replace(guest, routes=lambda: router.routes))
    with TestClient(app) as client:
        assert "/api/v1/monitoring/pool/status" in client.get("/openapi.json").json()["paths"]


def test_the_applications_lifespan_runs_first_and_keeps_its_state(guest: Guest, happened: list[str]) -> None:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        happened.append("application starts")
        yield {"kept": 42}
        happened.append("application stops")

    app = FastAPI(lifespan=lifespan)

    @app.get("/kept")
    async def kept(request: Request) -> int:
        value: int = request.state.kept
        return value

    install(app, guest)
    with TestClient(app) as client:
        assert client.get("/kept").json() == 42
    assert happened == ["application starts", "Dozor starts", "first request", "Dozor stops", "application stops"]


def test_middleware_that_is_added_later_is_measured_too(guest: Guest) -> None:
    app = FastAPI()
    install(app, guest)

    async def refuse(_request: Request, _call_next: Any) -> Response:
        return PlainTextResponse("no", 403)

    app.add_middleware(BaseHTTPMiddleware, dispatch=refuse)
    with TestClient(app) as client:
        assert client.get("/x").status_code == 403
    assert sum(counted(guest).values()) == 1


@pytest.mark.parametrize(("loopback_only", "lines"), [(True, 1), (False, 0)])
def test_with_neither_key_nor_auth_one_warning_at_start_says_how_to_set_one(
    guest: Guest, caplog: pytest.LogCaptureFixture, *, loopback_only: bool, lines: int
) -> None:
    app = FastAPI()
    install(app, replace(guest, loopback_only=loopback_only))
    assert not caplog.records
    with TestClient(app) as client:
        client.get("/x")
        client.get("/y")
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len([line for line in warnings if "DOZOR_API_KEY" in line and "auth=" in line]) == len(warnings) == lines


def test_a_second_dozor_is_refused_with_a_line_in_the_log(guest: Guest, caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    install(app, guest)
    install(app, guest)
    assert "has a Dozor already" in caplog.text
    assert len(app.user_middleware) == 1


def test_installed_too_late_it_says_so(guest: Guest, happened: list[str], caplog: pytest.LogCaptureFixture) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        install(app, guest)
        yield

    with TestClient(FastAPI(lifespan=lifespan)) as client:
        assert client.get("/health").status_code == 404
    assert "has started already" in caplog.text
    assert happened == []


@pytest.mark.parametrize("broken", ["routes", "start", "stop"])
def test_what_fails_in_dozor_leaves_the_application_whole(guest: Guest, broken: str) -> None:
    def fail(*_args: object) -> Any:
        raise RuntimeError("broken")

    guest = Guest(**{**{name: getattr(guest, name) for name in Guest.__struct_fields__}, broken: fail})
    app = FastAPI()
    app.add_api_route("/x", lambda: "fine")
    install(app, guest)
    with TestClient(app) as client:
        assert client.get("/x").json() == "fine"
