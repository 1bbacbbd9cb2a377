"""/channel: who is told, a test for each, and another attempt for what was given up."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from dozor.dashboard.answers import body_page, see_other
from dozor.dashboard.backend import Backend
from dozor.dashboard.channel_view import MOST_LETTERS, channel_page
from dozor.database import DEAD, OutboxFilter
from dozor.errors import DeliveryError, StoreUnavailable

_SAID: Final = {
    "tested": "The test message arrived.",
    "retried": "On its way again.",
}


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the page of channels on *router*."""

    @router.get("/channel")
    async def channels(done: str = "") -> Response:
        return await _page(backend, said=_SAID.get(done))

    @router.post("/channel/{name}/test")
    async def test(name: Annotated[str, Path(max_length=200)]) -> Response:
        try:
            await backend.test_channel(name)
        except DeliveryError as error:
            return await _page(backend, said=f"The test message did not arrive. {error}", base="../../", status=502)
        return see_other("../../channel?done=tested")

    @router.post("/notification/retry")
    async def retry_all() -> Response:
        await backend.retry_dead(None)
        return see_other("../channel?done=retried")

    @router.post("/notification/{notification_id}/retry")
    async def retry(notification_id: Annotated[int, Path(ge=0, le=2**63 - 1)]) -> Response:
        await backend.retry_notification(notification_id)
        return see_other("../../channel?done=retried")


async def _page(backend: Backend, *, said: str | None = None, base: str = "./", status: int = 200) -> Response:
    try:
        dead = await backend.notifications(OutboxFilter(state=DEAD, limit=MOST_LETTERS))
    except StoreUnavailable:
        dead = None

    def draw() -> Response:
        body = channel_page(backend.channels(), dead, backend.clock, base=base, said=said)
        return body_page("Who is told", body, base=base, status=status)

    return await backend.in_dozor(draw)
