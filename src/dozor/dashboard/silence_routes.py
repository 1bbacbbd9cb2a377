"""/silence: the inventory, a form with a preview, and what its buttons do."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response

from dozor.clock import Clock
from dozor.dashboard.answers import body_page, read_form, see_other
from dozor.dashboard.backend import Backend
from dozor.dashboard.built import TakeOver
from dozor.dashboard.silence_view import Preview, silence_page
from dozor.duration import parse_duration
from dozor.errors import ConfigurationError
from dozor.overview import inventory
from dozor.overview.moments import undate

_LONGEST_SECONDS: Final = 100 * 365 * 86400.0
_SAID: Final = {
    "made": "Made: nobody is told of what it matches.",
    "ended": "Ended: of what still fires, people are told.",
    "unsaved": "Done. For now it is kept in memory only.",
}

Field = Annotated[str, Query(max_length=10_000)]


def add_routes(router: APIRouter, backend: Backend, app: TakeOver | None = None) -> None:
    """Put the page of silences on *router*; *app*: what takes it over."""

    @router.get("/silence")
    async def silences(  # noqa: PLR0917 - FastAPI passes them by name
        matchers: Field = "",
        duration: Field = "",
        starts: Field = "",
        by: Field = "",
        comment: Field = "",
        done: str = "",
    ) -> Response:
        filled = {"matchers": matchers, "duration": duration, "starts": starts, "by": by, "comment": comment}
        return await _page(backend, filled, said=_SAID.get(done), app=app)

    @router.post("/silence")
    async def make(request: Request) -> Response:
        form = await read_form(request)
        try:
            starts_at, ends_at = _span(form, backend.clock)
            _, durable = await backend.create_silence(
                matchers=_lines(form.get("matchers", "")),
                starts_at=starts_at,
                ends_at=ends_at,
                by=form.get("by", "")[:200] or None,
                comment=form.get("comment", "")[:4000] or None,
            )
        except ConfigurationError as error:
            return await _page(backend, form, fault=str(error))
        return see_other(f"silence?done={'made' if durable else 'unsaved'}")

    @router.post("/silence/{silence_id}/end")
    async def end(silence_id: Annotated[str, Path(max_length=200)], request: Request) -> Response:
        form = await read_form(request)
        _, durable = await backend.end_silence(silence_id, by=form.get("by", "")[:200] or None, comment=None)
        return see_other(f"../../silence?done={'ended' if durable else 'unsaved'}")


async def _page(
    backend: Backend,
    filled: Mapping[str, str],
    *,
    fault: str | None = None,
    said: str | None = None,
    app: TakeOver | None = None,
) -> Response:
    """The page with the form *filled*; *fault*: what is wrong with it."""

    def draw() -> Response:
        preview = Preview(fault=fault) if fault is not None else _preview(backend, filled.get("matchers", ""))
        records = inventory(backend.silences(), backend.known().alerts)
        body = silence_page(records, filled, preview, backend.clock, said=said)
        return body_page("Silences", body, status=200 if fault is None else 422, app=app)

    return await backend.in_dozor(draw)


def _preview(backend: Backend, text: str) -> Preview | None:
    matchers = _lines(text)
    if not matchers:
        return None
    try:
        return Preview(backend.preview(matchers))
    except ConfigurationError as error:
        return Preview(fault=str(error))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _span(form: Mapping[str, str], clock: Clock) -> tuple[float | None, float | None]:
    """From when to when the silence lasts. Raises ConfigurationError."""
    starts_at = None
    if written := form.get("starts", "").strip():
        try:
            starts_at = undate(clock, datetime.fromisoformat(written).replace(tzinfo=UTC))
        except ValueError:
            raise ConfigurationError("write it like 2026-11-23T02:00, in UTC", key="begins") from None
    duration = form.get("duration", "")
    if duration == "until_resolved":
        return starts_at, None
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise ConfigurationError(str(error), key="for how long") from None
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ConfigurationError("a silence must be longer than 0 and shorter than 100 years", key="for how long")
    at = clock.timestamp()
    return starts_at, max(at, at if starts_at is None else starts_at) + seconds
