"""runtime/…: what blocked the application's event loop."""

from fastapi import APIRouter, Response

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.http_schemas import StallList, StallModel
from dozor.api.parameters import Limit
from dozor.api.rendering import answer


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the routes under runtime/ on *router*."""
    clock = backend.clock

    @router.get(
        "/runtime/stalls",
        response_model=StallList,
        responses=problems.documented(422),
        summary="What blocked the event loop",
    )
    async def runtime_stalls(limit: Limit = 100) -> Response:
        """The newest first, with the stack of the loop's thread at that moment. The threshold is `DOZOR_STALL_MS`."""

        def build() -> StallList:
            stalls = backend.stalls()
            return StallList(
                stalls=[
                    StallModel(
                        at=clock.date(stall.began_at),
                        seconds=round(stall.seconds, 4),
                        ended=stall.ended,
                        doing=stall.doing,
                        place=stall.place,
                        stack=list(stall.stack),
                    )
                    for stall in stalls.all()[:limit]
                ],
                total=stalls.total,
                seconds_total=round(stalls.seconds_total, 4),
                threshold_ms=round(stalls.threshold_seconds * 1000, 3),
                generated_at=clock.now(),
            )

        return await answer(backend, build)
