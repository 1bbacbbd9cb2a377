"""The page's addresses: the overview, an alert, the sign-in, the style sheet, the icons."""

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from dozor.dashboard import channel_routes, silence_routes
from dozor.dashboard.alert_detail import alert_detail
from dozor.dashboard.answers import STYLE, STYLE_URL, body_page, html, page_route, read_form, see_other, sign_in_page
from dozor.dashboard.backend import Backend, Door
from dozor.dashboard.built import BuiltFile, TakeOver, built_page, take_over
from dozor.dashboard.docs import docs_page
from dozor.dashboard.page import overview_page
from dozor.dashboard.parts import shape
from dozor.dashboard.view import View
from dozor.duration import parse_duration
from dozor.errors import StoreUnavailable
from dozor.overview import assess

_CACHED: Final = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
_ICON_INK: Final = {
    "healthy": "#17774a",
    "warning": "#d98a00",
    "critical": "#b3261e",
    "unknown": "#5c646c",
}
_LONGEST_SILENCE_SECONDS: Final = 100 * 365 * 86400.0

# What the overview says after a form was sent; the address carries the key alone, so that nobody can put words there.
_SAID: Final = {
    "acknowledge": "Acknowledged: it is yours until it resolves.",
    "silence": "Silenced: nobody is told for now.",
    "resolve": "Resolved by hand.",
    "note": "Written down.",
    "unsaved": "Done. For now it is kept in memory only.",
}

All = Annotated[str | None, Query(alias="all")]
AlertId = Annotated[str, Path(max_length=200)]


def add_page(router: APIRouter, backend: Backend, door: Door, *, docs: bool = False) -> None:
    """Put the page on *router*, at its root. *docs*: /docs and the API stand below the same root."""
    app = take_over(at_root=docs)
    route_class = page_route(door, router.prefix, app)
    guarded = APIRouter(
        prefix=router.prefix, route_class=route_class, dependencies=door.guards, include_in_schema=False
    )
    _add_overview(guarded, backend, app, docs=docs)
    _add_alert(guarded, backend, app)
    _add_actions(guarded, backend)
    silence_routes.add_routes(guarded, backend, app)
    channel_routes.add_routes(guarded, backend)
    everybody = APIRouter(prefix=router.prefix, route_class=route_class, include_in_schema=False)
    _add_sign_in(everybody, door)
    _add_files(everybody)
    router.routes += [*guarded.routes, *everybody.routes]


def add_docs(router: APIRouter, app: FastAPI, door: Door) -> None:
    """Put a page that describes *app*'s routes on *router*, at /docs."""
    guarded = APIRouter(route_class=page_route(door), dependencies=door.guards, include_in_schema=False)

    @guarded.get("/docs")
    async def docs(request: Request) -> Response:
        return html(docs_page(app.openapi(), address=str(request.base_url), style=STYLE_URL))

    router.routes += guarded.routes


# -- pages ---------------------------------------------------------------------------------------------------------


def _add_overview(router: APIRouter, backend: Backend, app: TakeOver | None, *, docs: bool) -> None:
    @router.get("/")
    async def page(
        done: str | None = None, refresh: str | None = None, plain: str | None = None, all_: All = None
    ) -> Response:
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
                connections=backend.pool_connections(),
                said=_SAID.get(done or ""),
                refreshes=refresh != "off",
                everything=all_ is not None,
                docs=docs,
            )
            return overview_page(view, style=STYLE_URL, app=app if plain is None else None)

        return html(await backend.in_dozor(draw))


def _add_alert(router: APIRouter, backend: Backend, app: TakeOver | None) -> None:
    clock = backend.clock

    @router.get("/alert/{alert_id}")
    async def alert_page(alert_id: AlertId, done: str | None = None) -> Response:
        alert = await backend.alert(alert_id)
        try:
            timeline = await backend.timeline(alert_id)
        except StoreUnavailable:
            timeline = None

        def draw() -> Response:
            said = _SAID.get(done or "")
            body = alert_detail(alert, backend.known().silences, timeline, clock, said=said)
            return body_page(alert.rule, body, base="../", app=app)

        return await backend.in_dozor(draw)

    @router.post("/alert/{alert_id}/notes")
    async def note(alert_id: AlertId, request: Request) -> Response:
        form = await read_form(request)
        text = form.get("text", "").strip()[:4000]
        if not text:
            raise HTTPException(422, "Write something; an empty note helps nobody.")
        _, durable = await backend.note(alert_id, by=form.get("by", "")[:200] or None, text=text)
        return see_other(f"../{quote(alert_id, safe='')}?done={'note' if durable else 'unsaved'}")


def _add_actions(router: APIRouter, backend: Backend) -> None:
    @router.post("/alert/{alert_id}/acknowledge")
    async def acknowledge(alert_id: AlertId, request: Request) -> Response:
        form = await read_form(request)
        _, durable = await backend.acknowledge(alert_id, **_who(form))
        return _done("acknowledge", durable=durable)

    @router.post("/alert/{alert_id}/silence")
    async def silence(alert_id: AlertId, request: Request) -> Response:
        form = await read_form(request)
        until = _until(form.get("duration", ""), backend.clock.timestamp())
        _, durable = await backend.silence(alert_id, until=until, **_who(form))
        return _done("silence", durable=durable)

    @router.post("/alert/{alert_id}/resolve")
    async def resolve(alert_id: AlertId, request: Request) -> Response:
        form = await read_form(request)
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
    return see_other(f"../../?done={action if durable else 'unsaved'}")


def _add_sign_in(router: APIRouter, door: Door) -> None:
    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        form = await read_form(request)
        session = door.session(form.get("key", "").strip())
        if session is None:
            return sign_in_page("./", said="That is not the key.")
        response = see_other("./")
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


def _file(file: BuiltFile, request: Request) -> Response:
    headers = {**_CACHED, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)


def _add_files(router: APIRouter) -> None:
    @router.get("/style.css")
    async def style(request: Request) -> Response:
        return _file(STYLE, request)

    @router.get("/app/{name}")
    async def built(name: str, request: Request) -> Response:
        page = built_page()
        if page is None or (file := page.files.get(name)) is None:
            raise HTTPException(404, "This page has no such file; it may be of another version. Load the page anew.")
        return _file(file, request)

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
