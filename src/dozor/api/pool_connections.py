"""pool/holders, pool/leaks, pool/advice: who has connections, who waits, who did not give them back, and how many it takes."""

from fastapi import APIRouter, Response
from msgspec import to_builtins

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.parameters import Limit
from dozor.api.pool import PoolName
from dozor.api.pool_schemas import (
    ConnectionHolderModel,
    EndpointUseModel,
    LeakList,
    LeakModel,
    PoolAdviceAnswer,
    PoolAdviceModel,
    PoolHoldersAnswer,
    PoolHoldersModel,
    ServerBudgetModel,
    WaiterModel,
)
from dozor.api.rendering import answer
from dozor.overview import PoolConnections, PoolReview


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the routes on *router*."""
    clock = backend.clock

    @router.get(
        "/pool/holders",
        response_model=PoolHoldersAnswer,
        responses=problems.documented(422),
        summary="Who holds connections, and who waits for one",
    )
    async def pool_holders(limit: Limit = 100, pool: PoolName = None) -> Response:
        """Longest first, with request, last statement, state of the transaction, and file and line: where it was taken and now."""

        def build() -> PoolHoldersAnswer:
            return PoolHoldersAnswer(
                pools=[_pool(one, limit) for one in backend.pool_connections(pool)], generated_at=clock.now()
            )

        return await answer(backend, build)

    @router.get(
        "/pool/leaks",
        response_model=LeakList,
        responses=problems.documented(422),
        summary="Connections that were held too long or never given back",
    )
    async def pool_leaks(limit: Limit = 100, pool: PoolName = None) -> Response:
        """Newest first, also those that are back by now, and those that the garbage collector took."""

        def build() -> LeakList:
            pools = backend.pool_connections(pool)
            found = sorted(((leak, one.name) for one in pools for leak in one.leaks), key=lambda found: -found[0].at)
            return LeakList(
                entries=[
                    LeakModel(
                        pool=name,
                        at=clock.date(leak.at),
                        outcome=leak.outcome.value,
                        holder=ConnectionHolderModel(**to_builtins(leak.holder)),
                    )
                    for leak, name in found[:limit]
                ],
                total=len(found),
                garbage_collected_total=sum(
                    int(one.figures.get("db_pool_garbage_collected_total", 0.0)) for one in pools
                ),
            )

        return await answer(backend, build)

    @router.get(
        "/pool/advice",
        response_model=PoolAdviceAnswer,
        responses=problems.documented(),
        summary="How large the pools have to be",
    )
    async def pool_advice() -> Response:
        """What the last hour says about size and overflow, with its working; and the budget of each server's connections."""

        def build() -> PoolAdviceAnswer:
            return PoolAdviceAnswer(
                pools=[_advice(one) for one in backend.pool_reviews()],
                budget=[
                    ServerBudgetModel(**to_builtins(budget), exceeded=budget.exceeded) for budget in backend.budgets()
                ],
                generated_at=clock.now(),
            )

        return await answer(backend, build)


def _advice(review: PoolReview) -> PoolAdviceModel:
    return PoolAdviceModel(
        name=review.name,
        **to_builtins(review.advice),
        statements_per_checkout=review.statements_per_checkout,
        endpoints=[EndpointUseModel(**to_builtins(use)) for use in review.endpoints],
    )


def _pool(found: PoolConnections, limit: int) -> PoolHoldersModel:
    return PoolHoldersModel(
        name=found.name,
        worker=found.worker,
        checked_out=found.figures.get("db_pool_checked_out"),
        capacity=found.figures.get("db_pool_capacity"),
        holders=[ConnectionHolderModel(**to_builtins(holder)) for holder in found.holders[:limit]],
        waiters=[WaiterModel(**to_builtins(waiter)) for waiter in found.waiters[:limit]],
        holders_total=len(found.holders),
        waiters_total=len(found.waiters),
    )
