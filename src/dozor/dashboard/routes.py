"""The page's addresses: the overview, an alert, the forms, the sign-in, the style sheet, the icons."""

import hashlib
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import wraps
from http import HTTPStatus
from importlib.resources import files
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from typing_extensions import override

from dozor.containment import report
from dozor.dashboard.alert_view import alert_detail
from dozor.dashboard.backend import Backend, Door
from dozor.dashboard.docs import docs_page
from dozor.dashboard.html import el
from dozor.dashboard.page import document, overview_page
from dozor.dashboard.parts import shape
from dozor.dashboard.view import View
from dozor.duration import parse_duration
from dozor.errors import ActionForbidden, AlertNotFound, DozorError
from dozor.overview import assess

_STYLE: Final = files("dozor.dashboard").joinpath("static", "style.css").read_bytes()
_STYLE_URL: Final = f"style.css?{hashlib.sha256(_STYLE).hexdigest()[:12]}"
_CACHED: Final = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_ICON_INK: Final = {
    "healthy": "#17774a",
    "warning": "#d98a00",
    "critical": "#b3261e",
    "unknown": "#5c646c",
}
_MAX_FORM_BYTES: Final = 64 * 1024
_LONGEST_SILENCE_SECONDS: Final = 100 * 365 * 86400.0

# What the overview says after a form was sent; the address carries the key alone, so that nobody can put words there.
_SAID: Final = {
    "acknowledge": "Acknowledged: it is yours until it resolves.",
    "silence": "Silenced: nobody is told for now.",
    "resolve": "Resolved by hand.",
    "unsaved": "Done, but Dozor's store does not answer: it holds in memory and is written when the store is back.",
}

AlertId = Annotated[str, Path(max_length=200)]


def add_page(router: APIRouter, backend: Backend, door: Door, *, docs: bool = False) -> None:
    """Put the page on *router*, at its root. *docs*: /docs and the API stand below the same root."""
    route_class = _page_route(door)
    guarded = APIRouter(
        prefix=router.prefix, route_class=route_class, dependencies=door.guards, include_in_schema=False
    )
    _add_overview(guarded, backend, docs=docs)
    _add_alert(guarded, backend)
    everybody = APIRouter(prefix=router.prefix, route_class=route_class, include_in_schema=False)
    _add_sign_in(everybody, door)
    _add_files(everybody)
    router.routes += [*guarded.routes, *everybody.routes]


def add_docs(router: APIRouter, app: FastAPI, door: Door) -> None:
    """Put a page that describes *app*'s routes on *router*, at /docs."""
    guarded = APIRouter(route_class=_page_route(door), dependencies=door.guards, include_in_schema=False)

    @guarded.get("/docs")
    async def docs(request: Request) -> Response:
        return _html(docs_page(app.openapi(), address=str(request.base_url), style=_STYLE_URL))

    router.routes += guarded.routes


# -- pages ---------------------------------------------------------------------------------------------------------


def _add_overview(router: APIRouter, backend: Backend, *, docs: bool) -> None:
    @router.get("/")
    async def page(done: str | None = None, refresh: str | None = None) -> Response:
        def draw() -> str:
            known = backend.known()
            view = View(
                overview=assess(known, backend.clock.timestamp()),
                known=known,
                clock=backend.clock,
                http=backend.http_figures(),
                sparklines=backend.sparklines(),
                slow_queries=backend.slow_queries(),
                slow_commands=backend.slow_commands(),
                pool_records=backend.pool_records(),
                said=_SAID.get(done or ""),
                refreshes=refresh != "off",
                docs=docs,
            )
            return overview_page(view, style=_STYLE_URL)

        return _html(await backend.in_dozor(draw))


def _add_alert(router: APIRouter, backend: Backend) -> None:
    @router.get("/alert/{alert_id}")
    async def alert_page(alert_id: AlertId) -> Response:
        alert = await backend.alert(alert_id)

        def draw() -> str:
            body = el("main", alert_detail(alert, backend.clock, backend.clock.timestamp()))
            return document(f"{alert.rule[:80]} · Dozor", body, base="../", style=_STYLE_URL)

        return _html(await backend.in_dozor(draw))

    @router.post("/alert/{alert_id}/acknowledge")
    async def acknowledge(alert_id: AlertId, request: Request) -> Response:
        form = await _form(request)
        _, durable = await backend.acknowledge(alert_id, **_who(form))
        return _done("acknowledge", durable=durable)

    @router.post("/alert/{alert_id}/silence")
    async def silence(alert_id: AlertId, request: Request) -> Response:
        form = await _form(request)
        until = _until(form.get("duration", ""), backend.clock.timestamp())
        _, durable = await backend.silence(alert_id, until=until, **_who(form))
        return _done("silence", durable=durable)

    @router.post("/alert/{alert_id}/resolve")
    async def resolve(alert_id: AlertId, request: Request) -> Response:
        form = await _form(request)
        _, durable = await backend.resolve(alert_id, **_who(form))
        return _done("resolve", durable=durable)


def _who(form: Mapping[str, str]) -> dict[str, str | None]:
    return {"by": form.get("by", "")[:200] or None, "comment": form.get("comment", "")[:4000] or None}


def _until(duration: str, at: float) -> float | None:
    if duration == "until_resolved":
        return None
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise HTTPException(422, f"{error}.") from None
    if not 0 < seconds <= _LONGEST_SILENCE_SECONDS:
        raise HTTPException(422, "A silence must be longer than 0 and shorter than 100 years.")
    return at + seconds


def _done(action: str, *, durable: bool) -> Response:
    # 303: the browser asks for the overview with GET, so that reloading it does not act again.
    return Response(status_code=303, headers={"Location": f"../../?done={action if durable else 'unsaved'}"})


def _add_sign_in(router: APIRouter, door: Door) -> None:
    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        form = await _form(request)
        session = door.session(form.get("key", "").strip())
        if session is None:
            return _sign_in_page(request, said="That is not the key.")
        response = Response(status_code=303, headers={"Location": "./"})
        response.set_cookie(
            door.cookie,
            session,
            max_age=door.session_seconds,
            path=request.url.path.removesuffix("sign-in"),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response


def _add_files(router: APIRouter) -> None:
    @router.get("/style.css")
    async def style() -> Response:
        return Response(_STYLE, headers=_CACHED, media_type="text/css")

    @router.get("/icon-{status}.svg")
    async def icon(status: str) -> Response:
        kind = "critical" if status == "disconnected" else status
        ink = _ICON_INK.get(kind, _ICON_INK["unknown"])
        drawn = str(shape(kind if kind in _ICON_INK else "unknown"))
        drawn = drawn.replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" fill="{ink}" ', 1)
        drawn = drawn.replace('class="ink"', 'fill="none" stroke="#fff" stroke-width="1.7"')
        drawn = drawn.replace('class="hollow"', f'fill="none" stroke="{ink}" stroke-width="1.5"')
        drawn = drawn.replace('class="line"', f'fill="none" stroke="{ink}" stroke-width="1.5"')
        return Response(drawn, headers=_CACHED, media_type="image/svg+xml")


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, the first of each name. Read here, since FastAPI would need another package for it."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            raise HTTPException(413, f"A form may hold at most {_MAX_FORM_BYTES} bytes.")
    try:
        fields = parse_qs(bytes(body).decode("utf-8", "replace"), max_num_fields=20)
    except ValueError:
        raise HTTPException(422, "This form has more fields than any of Dozor's.") from None
    return {name: values[0] for name, values in fields.items()}


def _html(page: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    content = page.encode("utf-8", "replace")
    return Response(content, status, {**_HEADERS, **(headers or {})}, "text/html; charset=utf-8")


# -- errors, as pages ----------------------------------------------------------------------------------------------


def _page_route(door: Door) -> type[APIRoute]:
    """A class of routes whose errors are pages; a 401 is the sign-in, where there is a key to show."""

    class PageRoute(APIRoute):
        def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
            super().__init__(path, _contained(endpoint), **options)

        @override
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def answer(request: Request) -> Response:
                try:
                    async with _exit_stack(request):
                        return await handle(request)
                except HTTPException as error:
                    if error.status_code == 401 and door.takes_key:
                        return _sign_in_page(request)
                    return _error_page(request, error.status_code, str(error.detail), error.headers)
                except RequestValidationError:
                    return _error_page(request, 422, "This address holds something that Dozor does not understand.")
                except (AlertNotFound, ActionForbidden) as error:
                    return _error_page(request, 404 if isinstance(error, AlertNotFound) else 409, str(error))
                except DozorError as error:
                    return _error_page(request, 503, str(error), {"Retry-After": "2"})

            return answer

    return PageRoute


def _contained(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """*endpoint* with what it raises by mistake reported, so that nothing of Dozor's reaches the application."""

    @wraps(endpoint)
    async def contained_endpoint(*args: Any, **kwargs: Any) -> Any:
        try:
            return await endpoint(*args, **kwargs)
        except (HTTPException, DozorError):
            raise
        except Exception as error:
            report("dashboard")
            raise HTTPException(500, "Dozor made a mistake here; its log has the details.") from error

    return contained_endpoint


@asynccontextmanager
async def _exit_stack(request: Request) -> AsyncIterator[None]:
    # FastAPI's own middleware puts this there; in an application of Starlette's alone there is none.
    if "fastapi_middleware_astack" in request.scope:
        yield
        return
    async with AsyncExitStack() as stack:
        request.scope["fastapi_middleware_astack"] = stack
        yield


def _base(request: Request) -> str:
    """The way from the address of *request* to the page's root."""
    if "alert_id" not in request.path_params:
        return "./"
    return "../" if request.method == "GET" else "../../"  # alert/ID, alert/ID/ACTION


def _error_page(request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    base = _base(request)
    title = next((known.phrase for known in HTTPStatus if known == status), "Error")
    said = f"{detail[:1].upper()}{detail[1:].rstrip('.')}."
    body = el(
        "main",
        el(
            "section",
            shape("critical" if status >= 500 else "warning"),
            el("div", el("h1", title), el("p", said), el("p", el("a", "To the overview", href=base))),
            class_="verdict warning",
        ),
    )
    refresh = math.ceil(float(headers["Retry-After"])) if headers and "Retry-After" in headers else None
    page = document(f"{title} · Dozor", body, base=base, style=_STYLE_URL, refresh=refresh)
    return _html(page, status, headers)


def _sign_in_page(request: Request, said: str | None = None) -> Response:
    base = _base(request)
    form = el(
        "form",
        el("h1", "Dozor"),
        el("p", said, class_="said", role="alert") if said else None,
        # For password managers, which keep a key under a name.
        el("input", type="text", name="user", value="dozor", autocomplete="username", hidden=True),
        el(
            "label",
            "Key (what DOZOR_API_KEY is set to)",
            el("input", name="key", type="password", required=True, autocomplete="current-password"),
        ),
        el("button", "Show me", class_="first"),
        method="post",
        action=f"{base}sign-in",
    )
    page = document("Dozor", el("main", form, class_="sign-in"), base=base, style=_STYLE_URL)
    return _html(page, 401)
