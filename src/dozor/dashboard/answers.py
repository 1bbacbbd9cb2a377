"""What the page's addresses have in common: answers as HTML, forms as they come in, errors as pages."""

import hashlib
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import wraps
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from typing_extensions import override

from dozor.containment import report
from dozor.dashboard.backend import Door
from dozor.dashboard.built import TakeOver, packed
from dozor.dashboard.html import Html, el
from dozor.dashboard.page import document
from dozor.dashboard.parts import shape
from dozor.errors import (
    ActionForbidden,
    AlertNotFound,
    ChannelNotFound,
    ConfigurationError,
    DozorError,
    NotificationNotFound,
    SilenceNotFound,
)

STYLE: Final = packed("style.css", files("dozor.dashboard").joinpath("static", "style.css").read_bytes())
STYLE_URL: Final = f"style.css?{hashlib.sha256(STYLE.content).hexdigest()[:12]}"
_HEADERS: Final = {
    # Kept only to be asked for anew, by ETag: what is wrong now may not be so in a second.
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_MAX_FORM_BYTES: Final = 64 * 1024
_STATUS_OF: Final[Mapping[type[DozorError], int]] = {
    AlertNotFound: 404,
    SilenceNotFound: 404,
    ChannelNotFound: 404,
    NotificationNotFound: 404,
    ActionForbidden: 409,
    ConfigurationError: 422,
}


async def read_form(request: Request) -> dict[str, str]:
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


def body_page(title: str, body: Html, *, base: str = "./", status: int = 200, app: TakeOver | None = None) -> Response:
    """A page of *body*. *base* is the way from its address to the page's root; *app*: what takes it over."""
    return html(document(f"{title[:80]} · Dozor", el("main", body), base=base, style=STYLE_URL, app=app), status)


def see_other(address: str) -> Response:
    """What a form answers: the browser asks for *address* with GET, so that reloading it does not act again."""
    return Response(status_code=303, headers={"Location": address})


def html(page: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """*page* as an answer that runs nothing but Dozor's own script, stands in no frame, and is asked for anew each time."""
    content = page.encode("utf-8", "replace")
    return Response(content, status, {**_HEADERS, **(headers or {})}, "text/html; charset=utf-8")


# -- errors, as pages ----------------------------------------------------------------------------------------------


def page_route(door: Door, prefix: str = "", app: TakeOver | None = None) -> type[APIRoute]:
    """A class of routes whose errors are pages; a 401 is the sign-in, where there is a key to show.

    The page's root stands at *prefix*; *app*: what takes the sign-in over.
    """

    class PageRoute(APIRoute):
        def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
            super().__init__(path, _contained(endpoint), **options)

        @override
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()
            # From alert/ID/notes to the root it is as many steps up as there are slashes.
            base = "../" * (self.path.removeprefix(prefix).count("/") - 1) or "./"

            async def answer(request: Request) -> Response:
                try:
                    async with _exit_stack(request):
                        return _unless_known(request, await handle(request))
                except HTTPException as error:
                    if error.status_code == 401 and door.takes_key:
                        return sign_in_page(base, app=app)
                    return _error_page(base, error.status_code, str(error.detail), error.headers)
                except RequestValidationError:
                    return _error_page(base, 422, "This address holds something that Dozor does not understand.")
                except DozorError as error:
                    status = next((found for kind, found in _STATUS_OF.items() if isinstance(error, kind)), 503)
                    if status == 503:
                        # Busy for a moment: a script goes on asking, and need not be loaded by then.
                        return _error_page(base, status, str(error), {"Retry-After": "2"}, app)
                    return _error_page(base, status, str(error))

            return answer

    return PageRoute


def _unless_known(request: Request, response: Response) -> Response:
    """*response* with a tag of its content; or 304, where the browser has just that already."""
    if request.method != "GET" or response.status_code != 200 or "etag" in response.headers:
        return response
    tag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:24]}"'
    response.headers["ETag"] = tag
    if tag not in request.headers.get("if-none-match", ""):
        return response
    kept = {name: value for name, value in response.headers.items() if name not in {"content-length", "content-type"}}
    return Response(status_code=304, headers=kept)


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


def _error_page(
    base: str, status: int, detail: str, headers: Mapping[str, str] | None = None, app: TakeOver | None = None
) -> Response:
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
    page = document(f"{title} · Dozor", body, base=base, style=STYLE_URL, refresh=refresh, app=app)
    return html(page, status, headers)


def sign_in_page(base: str, said: str | None = None, *, app: TakeOver | None = None) -> Response:
    """The page that asks for the key; *said*: what was wrong with the one before."""
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
    page = document("Dozor", el("main", form, class_="sign-in"), base=base, style=STYLE_URL, app=app)
    return html(page, 401)
