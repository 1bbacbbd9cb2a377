"""The shapes of what is said of HTTP and of the runtime. See `schemas` for how they are used."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from dozor.api.examples import NOW, example

_ROUTE = {
    "method": "GET",
    "route": "/orders/{order_id}",
    "requests_per_second": 12.4,
    "errors_per_second": 0.0,
    "mean_seconds": 0.21,
    "p50_seconds": 0.18,
    "p95_seconds": 0.62,
    "p99_seconds": 1.4,
    "busy": 2.6,
    "shares": {"database": 61.5, "pool_wait": 22.0, "redis": 1.2},
    "statements_per_request": 31.0,
    "redis_commands_per_request": 2.0,
}
_SPENT = {
    "pool_wait_seconds": 1.1,
    "database_seconds": 0.4,
    "redis_seconds": 0.0,
    "statements": 31,
    "redis_commands": 0,
}
_STALL = {
    "at": NOW,
    "seconds": 1.84,
    "ended": True,
    "doing": None,
    "place": "reports.py:41 in build_report",
    "stack": ["reports.py:41 in build_report", "main.py:88 in report"],
}


class RouteModel(BaseModel):
    """One route over the window, all workers together. Times end where the response begins."""

    method: str
    route: Annotated[str, Field(description="Its template, `(unmatched)` for paths that no route has.")]
    requests_per_second: float
    errors_per_second: Annotated[float, Field(description="Answers of 500 and above.")]
    mean_seconds: float | None
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    busy: Annotated[float, Field(description="How many were being answered at once, on average.")]
    shares: Annotated[
        dict[str, float],
        Field(
            description="Percent of its time in `database` (statements), `pool_wait` and `redis`; absent: none was spent. "
            "What a request does at the same time counts each time, so they may add up to more than 100."
        ),
    ]
    statements_per_request: float
    redis_commands_per_request: float


class RouteList(BaseModel):
    """The routes that had requests, the one with the highest p95 first."""

    model_config = example({"routes": [_ROUTE], "total": 1, "window_seconds": 300.0, "generated_at": NOW})

    routes: list[RouteModel]
    total: Annotated[int, Field(description="Routes with requests, those beyond `limit` too.")]
    window_seconds: float
    generated_at: datetime


class SpentModel(BaseModel):
    """What a request has done. What goes on just now is not in it yet."""

    pool_wait_seconds: float
    database_seconds: float
    redis_seconds: float
    statements: int
    redis_commands: int


class InFlightModel(BaseModel):
    """A request that is being answered."""

    method: str
    route: Annotated[str, Field(description="Its template; `(unmatched)` before routing has found it.")]
    age_seconds: float
    status: Annotated[
        int | None,
        Field(description="Of its response, once that has begun: what goes on is its body or background work."),
    ]
    doing: Annotated[
        str | None,
        Field(description="Such as `waiting for a connection`, `in a statement`, `in Redis`; null: something else."),
    ]
    place: Annotated[str | None, Field(description="The innermost line of the application's own code that it is in.")]
    spent: SpentModel


class InFlightList(BaseModel):
    """The oldest first."""

    model_config = example(
        {
            "requests": [
                {
                    "method": "GET",
                    "route": "/orders/{order_id}",
                    "age_seconds": 4.2,
                    "status": None,
                    "doing": "waiting for a connection",
                    "place": "orders.py:88 in list_orders",
                    "spent": _SPENT,
                }
            ],
            "total": 1,
            "generated_at": NOW,
        }
    )

    requests: list[InFlightModel]
    total: int
    generated_at: datetime


class SlowRequestModel(BaseModel):
    """A request whose response began later than the threshold."""

    at: datetime
    method: str
    route: str
    status: int
    duration_ms: float
    shares: Annotated[dict[str, float], Field(description="As in `http/routes`, of this request.")]
    spent: SpentModel


class SlowRequestList(BaseModel):
    """The newest first. `total` counts all since start, also those that are no longer kept."""

    model_config = example(
        {
            "entries": [
                {
                    "at": NOW,
                    "method": "GET",
                    "route": "/orders/{order_id}",
                    "status": 200,
                    "duration_ms": 1840.2,
                    "shares": {"database": 21.7, "pool_wait": 59.8},
                    "spent": _SPENT,
                }
            ],
            "total": 1,
            "threshold_ms": 1000.0,
            "next_cursor": None,
        }
    )

    entries: list[SlowRequestModel]
    total: int
    threshold_ms: float
    next_cursor: str | None


class StallModel(BaseModel):
    """A time that an event loop of the application did nothing else."""

    at: Annotated[datetime, Field(description="When it began.")]
    seconds: Annotated[float, Field(description="So far, where it has not ended.")]
    ended: bool
    doing: str | None
    place: Annotated[
        str | None,
        Field(
            description="The innermost line of the application's own code; null where the loop's thread could not be seen."
        ),
    ]
    stack: Annotated[list[str], Field(description="The frames of the loop's thread, innermost first.")]


class StallList(BaseModel):
    """The newest first. `total` counts all since start, also those that are no longer kept."""

    model_config = example(
        {"stalls": [_STALL], "total": 1, "seconds_total": 1.84, "threshold_ms": 250.0, "generated_at": NOW}
    )

    stalls: list[StallModel]
    total: int
    seconds_total: float
    threshold_ms: float
    generated_at: datetime
