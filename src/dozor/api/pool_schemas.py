"""The shapes of who holds connections, who waits for them and who kept them; see `schemas` for how they are used."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from dozor.api.examples import NOW, example

Lines = Annotated[list[str], Field(description="The application's own lines of code, innermost first.")]
Endpoint = Annotated[str | None, Field(description="The request, where it was for one.")]

_LINES: list[str] = ["shop/exports.py:41 in export", "shop/exports.py:12 in stream"]
HOLDER: dict[str, Any] = {
    "who": "GET /exports/{export_id}",
    "held_seconds": 41.3,
    "leaked": False,
    "connection": "5c09a1",
    "backend_pid": 40211,
    "endpoint": "GET /exports/{export_id}",
    "task": "Task-1812",
    "thread": None,
    "state": "idle in transaction",
    "state_seconds": 40.9,
    "statement": "SELECT * FROM orders WHERE customer_id = ?",
    "statement_seconds": 41.2,
    "taken_at": _LINES,
    "usually_taken_at": [],
    "now_at": ["shop/exports.py:55 in export"],
}
_WAITER: dict[str, Any] = {
    "who": "GET /orders/{order_id}",
    "waited_seconds": 3.2,
    "endpoint": "GET /orders/{order_id}",
    "task": "Task-1840",
    "thread": None,
    "now_at": ["shop/orders.py:88 in get_order"],
}
_LEAKED = {
    **HOLDER,
    "held_seconds": 75.0,
    "leaked": True,
    "who": "POST /imports",
    "endpoint": "POST /imports",
    "taken_at": [],
    "usually_taken_at": [{"lines": ["shop/imports.py:31 in begin_import"], "times": 12}],
}


class UsualPlaceModel(BaseModel):
    """Where requests of the same endpoint were seen to take connections."""

    lines: Lines
    times: Annotated[int, Field(description="How often that was seen; not every checkout is looked at.")]


class ConnectionHolderModel(BaseModel):
    """Somebody who has a connection out."""

    who: Annotated[str, Field(description="The request, or else the task or the thread.")]
    held_seconds: float
    leaked: Annotated[bool, Field(description="Whether for longer than the leak threshold.")]
    connection: Annotated[str | None, Field(description="Names the connection as long as it is open.")]
    backend_pid: Annotated[
        int | None, Field(description="The server's process, as in pg_stat_activity; None: unknown to the driver.")
    ]
    endpoint: Endpoint
    task: Annotated[str | None, Field(description="Name of the asyncio task.")]
    thread: Annotated[str | None, Field(description="Name of the thread.")]
    state: Annotated[
        str | None,
        Field(description="Of the transaction: idle, active, idle in transaction, idle in transaction (aborted)."),
    ]
    state_seconds: Annotated[float | None, Field(description="Since when it is in that state.")]
    statement: Annotated[str | None, Field(description="The last one since it was taken; literals are redacted.")]
    statement_seconds: Annotated[float | None, Field(description="Since when that was sent.")]
    taken_at: Annotated[Lines, Field(description="Where it was taken, innermost first; empty: nobody looked.")]
    usually_taken_at: Annotated[
        list[UsualPlaceModel],
        Field(
            description="Where nobody looked when this one was taken: where the same endpoint was seen to take connections, the most "
            "frequent first."
        ),
    ]
    now_at: Annotated[Lines, Field(description="Where who took it is now, innermost first.")]


class WaiterModel(BaseModel):
    """Somebody who waits for a connection."""

    who: str
    waited_seconds: float
    endpoint: Endpoint
    task: str | None
    thread: str | None
    now_at: Lines


class PoolHoldersModel(BaseModel):
    """One pool."""

    name: str
    worker: str | None
    checked_out: Annotated[float | None, Field(description="In use, by the pool's own count.")]
    capacity: Annotated[float | None, Field(description="pool_size + max_overflow; None: no limit.")]
    holders: Annotated[list[ConnectionHolderModel], Field(description="Longest first.")]
    waiters: Annotated[list[WaiterModel], Field(description="Longest first.")]
    holders_total: int
    waiters_total: int


class PoolHoldersAnswer(BaseModel):
    """All pools, or the one that was asked for."""

    model_config = example(
        {
            "pools": [
                {
                    "name": "default",
                    "worker": None,
                    "checked_out": 15.0,
                    "capacity": 15.0,
                    "holders": [HOLDER],
                    "waiters": [_WAITER],
                    "holders_total": 15,
                    "waiters_total": 1,
                }
            ],
            "generated_at": NOW,
        }
    )

    pools: list[PoolHoldersModel]
    generated_at: datetime


class LeakModel(BaseModel):
    """A connection that was held beyond the threshold, or dropped without being given back."""

    pool: str
    at: Annotated[datetime, Field(description="When it was noticed.")]
    outcome: Annotated[
        Literal["held", "returned", "garbage collected"], Field(description="What has become of it so far.")
    ]
    holder: ConnectionHolderModel


class LeakList(BaseModel):
    """The last 200 leaks of each pool, newest first."""

    model_config = example(
        {
            "entries": [{"pool": "default", "at": NOW, "outcome": "held", "holder": _LEAKED}],
            "total": 1,
            "garbage_collected_total": 0,
        }
    )

    entries: list[LeakModel]
    total: Annotated[int, Field(description="How many are kept.")]
    garbage_collected_total: Annotated[int, Field(description="Taken by the garbage collector since start, in all.")]


class EndpointUseModel(BaseModel):
    """What requests of one kind did with a pool since start."""

    endpoint: str
    held_seconds: Annotated[float, Field(description="Connection-seconds, by looking once in each cycle.")]
    waits: Annotated[int, Field(description="How often one waited longer than a millisecond for a connection.")]
    wait_seconds: float
    longest_wait_seconds: float
    timeouts: Annotated[int, Field(description="How often in vain.")]


class PoolAdviceModel(BaseModel):
    """How large one pool has to be, by the last hour."""

    name: str
    seconds: float
    checkouts_per_second: float
    mean_use_seconds: float | None
    mean_connections: Annotated[float | None, Field(description="Their product: Little's law.")]
    p99_connections: Annotated[int | None, Field(description="99 % of the looks found at most as many wanted.")]
    peak_connections: int | None
    connects_per_checkout: Annotated[float | None, Field(description="Churn: 1 where each opens a connection.")]
    statements_per_checkout: Annotated[float | None, Field(description="Since start.")]
    pool_size: Annotated[int | None, Field(description="Advised; None: too little was seen.")]
    max_overflow: Annotated[int | None, Field(description="Advised.")]
    working: Annotated[list[str], Field(description="How that comes about, in sentences.")]
    endpoints: Annotated[list[EndpointUseModel], Field(description="Who holds and who waits, the costliest first.")]


class ServerBudgetModel(BaseModel):
    """What all workers may open of one server's connections, against what there is."""

    server: str
    planned: int
    available: int
    others: Annotated[int, Field(description="Known to be none of this application's.")]
    exceeded: bool
    working: str


class PoolAdviceAnswer(BaseModel):
    """All pools of the application, and the servers behind them."""

    model_config = example(
        {
            "pools": [
                {
                    "name": "default",
                    "seconds": 3600.0,
                    "checkouts_per_second": 42.0,
                    "mean_use_seconds": 0.05,
                    "mean_connections": 2.1,
                    "p99_connections": 6,
                    "peak_connections": 11,
                    "connects_per_checkout": 0.002,
                    "statements_per_checkout": 3.4,
                    "pool_size": 6,
                    "max_overflow": 8,
                    "working": [
                        (
                            "In the last 3600 s there were 42 checkouts a second, each held for 50 ms on average: 42 x 0.05 = 2.1 "
                            "connections in use on average (Little's law). 99 % of the looks found at most 6 in use or waited for, the "
                            "most at any moment was 11."
                        ),
                        (
                            "pool_size=6 covers the average and 99 % of the looks, max_overflow=8 the peak of 11 with a fifth to "
                            "spare; now: pool_size=5, max_overflow=10."
                        ),
                    ],
                    "endpoints": [
                        {
                            "endpoint": "GET /exports/{export_id}",
                            "held_seconds": 840.0,
                            "waits": 12,
                            "wait_seconds": 0.9,
                            "longest_wait_seconds": 0.3,
                            "timeouts": 0,
                        }
                    ],
                }
            ],
            "budget": [
                {
                    "server": "db:5432",
                    "planned": 60,
                    "available": 92,
                    "others": 5,
                    "exceeded": False,
                    "working": "4 workers (WEB_CONCURRENCY) x (5 + 10 (pool default)) = 60 connections may be opened, within the "
                    "92 that there are: max_connections 100, less 3 reserved, less 5 that others have",
                }
            ],
            "generated_at": NOW,
        }
    )

    pools: list[PoolAdviceModel]
    budget: list[ServerBudgetModel]
    generated_at: datetime
