"""alerts/rules/check and /backtest: a rule file that is not in force yet, looked over and tried on what has been."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.parameters import body_documentation, json_body
from dozor.api.rendering import json_response
from dozor.api.trial_schemas import BacktestAnswer, BacktestRequest, RulesChecked, RulesText
from dozor.store import Queryable


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the trials on *router*."""
    # What tries them is loaded by the first who does, in the thread for queries.

    @router.post(
        "/alerts/rules/check",
        response_model=RulesChecked,
        responses=problems.documented(413, 415, 422),
        openapi_extra=body_documentation(RulesText, required=True),
        summary="Look a rule file over",
    )
    async def alerts_rules_check(body: Annotated[RulesText, Depends(json_body(RulesText))]) -> Response:
        """What is wrong with it, and what is probably not meant, as `dozor rules check` says it. Nothing is put in force."""

        def look(store: Queryable) -> bytes:
            from dozor.api.trials import checked  # noqa: PLC0415

            return checked(body.text, store, backend.clock)

        return json_response(await backend.run_query(look))

    @router.post(
        "/alerts/rules/backtest",
        response_model=BacktestAnswer,
        responses=problems.documented(413, 415, 422),
        openapi_extra=body_documentation(BacktestRequest, required=True),
        summary="What a rule file would have done",
    )
    async def alerts_rules_backtest(body: Annotated[BacktestRequest, Depends(json_body(BacktestRequest))]) -> Response:
        """Lives the file's alerts through what Dozor has of the past, as `dozor rules backtest` does. Nobody is told."""

        def play(store: Queryable) -> bytes:
            from dozor.api.trials import played  # noqa: PLC0415

            return played(body, store, backend.clock, backend.trial_life)

        return json_response(await backend.run_query(play))
