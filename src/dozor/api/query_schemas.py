"""The shapes of what is read of statements. See `schemas` for how they are used."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from dozor.api.examples import NOW, example

_WINDOW = {
    "calls": 4210,
    "calls_per_second": 13.4,
    "errors": 2,
    "timeouts": 1,
    "cancelled": 0,
    "slow": 1,
    "total_seconds": 21.05,
    "mean_seconds": 0.005,
    "stddev_seconds": None,
    "p50_seconds": 0.0041,
    "p95_seconds": 0.0119,
    "p99_seconds": 0.0302,
    "max_seconds": 2.01,
    "rows": 84200,
    "rows_per_call": 20.0,
    "share": 0.41,
}
_QUERY = {
    "fingerprint": "8c1f2a90b7de4431",
    "statement": "SELECT * FROM orders WHERE customer_id = %(customer_id_1)s ORDER BY created_at",
    "operation": "SELECT",
    "pool": "default",
    "source": "application",
    "callers": [{"name": "orders.py:88 in list_orders", "times": 12}],
    "endpoints": [{"name": "GET /orders", "times": 4210}],
    "raised": [{"name": "OperationalError", "times": 2}],
    "first_seen": NOW,
    "last_seen": NOW,
}
_ENTRY = {**_QUERY, **_WINDOW, "before": {**_WINDOW, "mean_seconds": 0.002}, "change": "slower"}

Source = Literal["application", "server"]
Window = Literal["1m", "5m", "15m", "1h", "since_start"]


class QueryWindowModel(BaseModel):
    """What a statement did in a stretch of time; times in seconds, quantiles within 2 %. Null is unknown.

    A server (source `server`) counts no failed calls and keeps no single times: it knows no errors and no quantiles, and the longest
    call only where that was the longest ever.
    """

    calls: int
    calls_per_second: float
    errors: Annotated[int | None, Field(description="Calls that failed, those of the next two included.")]
    timeouts: Annotated[int | None, Field(description="Ended by a statement or lock timeout.")]
    cancelled: Annotated[int | None, Field(description="Ended because somebody wanted that.")]
    slow: Annotated[int | None, Field(description="Calls as slow as the threshold, or slower.")]
    total_seconds: float
    mean_seconds: float | None
    stddev_seconds: Annotated[float | None, Field(description="Standard deviation; of source `server` only.")]
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    max_seconds: float | None
    rows: Annotated[
        int | None, Field(description="Rows returned or changed, as the driver says; null where it does not.")
    ]
    rows_per_call: float | None
    share: Annotated[
        float, Field(description="Its part of the time of all statements that the same source counts, 0 to 1.")
    ]


class TimesModel(BaseModel):
    """How often something came."""

    name: str
    times: int


class QueryIdentityModel(BaseModel):
    """A statement: what is the same in all texts that differ in literals, comments and space only."""

    fingerprint: str
    statement: Annotated[str, Field(description="Without literals.")]
    operation: str
    pool: str
    source: Annotated[
        Source,
        Field(description="Who counts: `application`, as it passes the engine; `server`, by pg_stat_statements."),
    ]
    callers: Annotated[
        list[TimesModel],
        Field(description="Lines of code that were seen to send it, in samples; the most frequent first."),
    ]
    endpoints: Annotated[
        list[TimesModel], Field(description="Requests that sent it since it was first seen, in calls.")
    ]
    raised: Annotated[
        list[TimesModel], Field(description="Errors with which it failed since it was first seen, by their class.")
    ]
    first_seen: datetime
    last_seen: datetime


class TopQueryModel(QueryWindowModel, QueryIdentityModel):
    """A statement in the window, and in the one before it."""

    before: Annotated[
        QueryWindowModel | None, Field(description="The window before; null where not all of that was watched.")
    ]
    change: Annotated[
        Literal["new", "slower", "faster", "same", "gone"] | None,
        Field(
            description="Slower or faster: the mean by half and a millisecond, over at least 5 calls in each window."
        ),
    ]


class StatementSourceModel(BaseModel):
    """Who counts the statements of a pool."""

    pool: str
    source: Source
    checked_at: Annotated[datetime | None, Field(description="When it was last looked at; null: not yet.")]
    age_seconds: float | None
    missing: Annotated[str | None, Field(description="Why nothing is known, where that is so, and what to do.")]
    limits: Annotated[list[str], Field(description="What else is out of sight, and what to do.")]


class TopQueriesAnswer(BaseModel):
    """The statements of a window, in the order asked for, and those that are gone since the window before."""

    model_config = example(
        {
            "window": "5m",
            "seconds": 314.2,
            "compared": True,
            "everything": {**_WINDOW, "share": 1.0},
            "queries": [_ENTRY],
            "total": 1,
            "gone": [],
            "other": None,
            "sources": [
                {
                    "pool": "default",
                    "source": "application",
                    "checked_at": NOW,
                    "age_seconds": 0.0,
                    "missing": None,
                    "limits": [],
                }
            ],
            "generated_at": NOW,
        }
    )

    window: Window
    seconds: Annotated[
        float, Field(description="How long it is: at least as asked for, unless the watching began in it.")
    ]
    compared: Annotated[bool, Field(description="Whether there is a whole window before it to compare with.")]
    everything: Annotated[
        QueryWindowModel,
        Field(description="All statements together; those that both sources count, twice: ask for one of them."),
    ]
    queries: list[TopQueryModel]
    total: Annotated[int, Field(description="How many statements were sent in the window.")]
    gone: Annotated[
        list[TopQueryModel], Field(description="Sent in the window before and not in this one; at most 100.")
    ]
    other: Annotated[
        QueryWindowModel | None,
        Field(description="Statements that found no room to be told apart; null: there are none."),
    ]
    sources: Annotated[list[StatementSourceModel], Field(description="Who counts the statements of each pool.")]
    generated_at: datetime


class PoolQueryModel(QueryIdentityModel):
    """One statement of one pool, by window."""

    windows: Annotated[dict[str, QueryWindowModel], Field(description="`1m`, `5m`, `15m`, `1h` and `since_start`.")]
    before: Annotated[
        dict[str, QueryWindowModel | None], Field(description="The window before each, where there is one.")
    ]
    change: dict[str, Literal["new", "slower", "faster", "same", "gone"] | None]


class QueryAnswer(BaseModel):
    """A statement, in each pool that knows it."""

    model_config = example(
        {
            "fingerprint": "8c1f2a90b7de4431",
            "pools": [
                {
                    **_QUERY,
                    "windows": {"5m": _WINDOW, "since_start": _WINDOW},
                    "before": {"5m": _WINDOW, "since_start": None},
                    "change": {"5m": "same", "since_start": None},
                }
            ],
            "generated_at": NOW,
        }
    )

    fingerprint: str
    pools: list[PoolQueryModel]
    generated_at: datetime


class RepeatedQueryModel(BaseModel):
    """A statement that single requests send again and again: a loop where a join or one query for all would do."""

    endpoint: str
    fingerprint: str
    statement: str
    pool: str
    caller: Annotated[str | None, Field(description="The line that sends it.")]
    requests: Annotated[int, Field(description="Requests that repeated it.")]
    times_per_request: Annotated[float, Field(description="How often such a request sends it, on average.")]
    most_times: Annotated[int, Field(description="The most that one of them did.")]
    lost_seconds: Annotated[
        float, Field(description="Estimate: all but one sending of each request, at the statement's mean time.")
    ]
    first_at: datetime
    last_at: datetime


class RepeatedQueryList(BaseModel):
    """What was found since start, the last found first; at most 200 a pool."""

    model_config = example(
        {
            "queries": [
                {
                    "endpoint": "GET /orders",
                    "fingerprint": "03d1b7aa90f1c22e",
                    "statement": "SELECT name FROM customers WHERE id = %(id_1)s",
                    "pool": "default",
                    "caller": "orders.py:92 in list_orders",
                    "requests": 37,
                    "times_per_request": 50.0,
                    "most_times": 50,
                    "lost_seconds": 3.1,
                    "first_at": NOW,
                    "last_at": NOW,
                }
            ],
            "total": 1,
        }
    )

    queries: list[RepeatedQueryModel]
    total: int


class SlowFetchModel(BaseModel):
    """A statement whose rows took as long as the threshold, or longer, to be read after it was executed."""

    statement: str
    fingerprint: str
    fetch_ms: Annotated[float, Field(description="Spent in fetching rows, by driver and server.")]
    open_ms: Annotated[
        float,
        Field(
            description="From the end of the execution to the last row; what the application did with the rows is in it, "
            "and its connection was held."
        ),
    ]
    rows: int
    at: datetime
    pool: str
    caller: Annotated[str | None, Field(description="The line that read the last row, or gave up.")]
    endpoint: str | None


class SlowFetchList(BaseModel):
    """The newest first. `total` counts all since start, also those that are no longer kept."""

    model_config = example(
        {
            "entries": [
                {
                    "statement": "SELECT * FROM orders",
                    "fingerprint": "b04f4c1de61a0f7b",
                    "fetch_ms": 1810.4,
                    "open_ms": 6120.9,
                    "rows": 250000,
                    "at": NOW,
                    "pool": "default",
                    "caller": "export.py:31 in rows",
                    "endpoint": "GET /export",
                }
            ],
            "total": 1,
            "next_cursor": "MTAw",
        }
    )

    entries: list[SlowFetchModel]
    total: int
    next_cursor: str | None


class PlanAnswer(BaseModel):
    """How a database would run a statement, whatever its parameters are. Nothing was run."""

    model_config = example(
        {
            "fingerprint": "8c1f2a90b7de4431",
            "database": "postgresql",
            "plan": [
                "Sort  (cost=4.27..4.28 rows=2 width=44)",
                "  Sort Key: created_at",
                "  ->  Seq Scan on orders  (cost=0.00..4.26 rows=2 width=44)",
                "        Filter: (customer_id = $1)",
            ],
            "nodes": {"Node Type": "Sort", "Total Cost": 4.28, "Plan Rows": 2},
            "notes": [
                "orders is read from its beginning to its end, about 2 rows are expected to be left by (customer_id = $1)"
            ],
            "generated_at": NOW,
        }
    )

    fingerprint: str
    database: Annotated[str, Field(description="`postgresql` or `sqlite`.")]
    plan: Annotated[
        list[str], Field(description="Line by line, as the database's own shell shows it; literals redacted.")
    ]
    nodes: Annotated[dict[str, Any], Field(description="The same as PostgreSQL's JSON, redacted; empty for SQLite.")]
    notes: Annotated[list[str], Field(description="What in it may be worth a look.")]
    generated_at: datetime
