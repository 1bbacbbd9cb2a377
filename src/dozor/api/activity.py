"""queries/activity: the open transactions of the watched servers, and who waits for whom."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.examples import NOW, example
from dozor.api.parameters import Limit
from dozor.api.pool import PoolName
from dozor.api.rendering import answer, date
from dozor.overview import ServerActivity, Transaction

_SESSION: Final[dict[str, Any]] = {
    "pid": 4711,
    "application": "shop",
    "user": "shop",
    "client": "10.0.0.7",
    "state": "idle in transaction",
    "state_seconds": 12.5,
    "transaction_seconds": 14.1,
    "waits_for": None,
    "statement": "UPDATE products SET stock = $1 WHERE id = $2",
    "blocked_by": [],
    "blocking": [4720, 4731],
    "endpoint": "POST /orders",
    "holder": "POST /orders",
    "taken_at": "shop.py:88 in place_order",
    "now_at": "payment.py:12 in charge",
}


class TransactionModel(BaseModel):
    """A session with an open transaction. Null is unknown; the last four are of a connection that this process holds."""

    pid: Annotated[int, Field(description="The server's process.")]
    application: Annotated[str, Field(description="Its `application_name`.")]
    user: str | None
    client: str | None
    state: str | None
    state_seconds: Annotated[float | None, Field(description="Since it is in this state.")]
    transaction_seconds: Annotated[float, Field(description="Since the transaction began.")]
    waits_for: Annotated[str | None, Field(description="Kind and name of what it waits for.")]
    statement: Annotated[str | None, Field(description="What runs, or ran last; without literals.")]
    blocked_by: Annotated[list[int], Field(description="The processes that hold what it waits for.")]
    blocking: Annotated[list[int], Field(description="The processes that wait for what it holds.")]
    endpoint: str | None
    holder: Annotated[str | None, Field(description="The request, task or thread that has the connection now.")]
    taken_at: Annotated[str | None, Field(description="The line that took it, where that was looked at.")]
    now_at: Annotated[str | None, Field(description="The line at which that is now.")]


class ServerActivityModel(BaseModel):
    """The server behind one pool."""

    pool: str
    transactions: list[TransactionModel]
    blocked: Annotated[int, Field(description="How many of them wait for another.")]
    checked_at: datetime | None
    age_seconds: float | None
    missing: Annotated[str | None, Field(description="Why there is nothing to be told, where that is so.")]


class ActivityAnswer(BaseModel):
    """All servers, as of the last look, of which there is one every five seconds."""

    model_config = example(
        {
            "servers": [
                {
                    "pool": "default",
                    "transactions": [_SESSION],
                    "blocked": 0,
                    "checked_at": NOW,
                    "age_seconds": 2.1,
                    "missing": None,
                }
            ],
            "generated_at": NOW,
        }
    )

    servers: list[ServerActivityModel]
    generated_at: datetime


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the route on *router*; before those whose path may be any fingerprint."""
    clock = backend.clock

    @router.get(
        "/queries/activity",
        response_model=ActivityAnswer,
        responses=problems.documented(422),
        summary="Open transactions, and who waits for whom",
    )
    async def queries_activity(limit: Limit = 100, pool: PoolName = None) -> Response:
        """The oldest transaction first, with who of this process has the connection. Literals are redacted."""

        def build() -> ActivityAnswer:
            at = clock.timestamp()
            servers = [
                ServerActivityModel(
                    pool=one.pool,
                    transactions=[_transaction(found) for found in one.transactions[:limit]],
                    blocked=_blocked(one),
                    checked_at=date(clock, one.at),
                    age_seconds=None if one.at is None else round(max(0.0, at - one.at), 3),
                    missing=one.missing,
                )
                for one in backend.server_activity(pool)
            ]
            return ActivityAnswer(servers=servers, generated_at=clock.now())

        return await answer(backend, build)


def _blocked(activity: ServerActivity) -> int:
    return sum(bool(found.session.blocked_by) for found in activity.transactions)


def _transaction(found: Transaction) -> TransactionModel:
    session, holder = found.session, found.holder
    return TransactionModel(
        pid=session.pid,
        application=session.application,
        user=session.user,
        client=session.client,
        state=session.state,
        state_seconds=session.state_seconds,
        transaction_seconds=session.transaction_seconds,
        waits_for=session.waits_for,
        statement=session.statement,
        blocked_by=list(session.blocked_by),
        blocking=list(session.blocking),
        endpoint=None if holder is None else holder.endpoint,
        holder=None if holder is None else holder.who,
        taken_at=None if holder is None else next(iter(holder.taken_at), None),
        now_at=None if holder is None else next(iter(holder.now_at), None),
    )
