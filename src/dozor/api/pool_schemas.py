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
_LEAKED = {**HOLDER, "held_seconds": 75.0, "leaked": True, "who": "POST /imports", "endpoint": "POST /imports"}


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
