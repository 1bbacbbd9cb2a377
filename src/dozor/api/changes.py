"""dashboard/changes: what has changed lately, in words."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from fastapi import APIRouter, Response

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.change_schemas import ChangeList, ChangeModel
from dozor.api.parameters import Limit, Since
from dozor.api.rendering import answer
from dozor.clock import Clock
from dozor.overview import Change
from dozor.overview.moments import undate

_HOUR: Final = 3600.0


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put dashboard/changes on *router*."""
    clock = backend.clock

    @router.get(
        "/dashboard/changes",
        response_model=ChangeList,
        responses=problems.documented(422),
        summary="What has changed lately",
    )
    async def dashboard_changes(since: Since = None, limit: Limit = 100) -> Response:
        """In the last hour, or since `since`: alerts, targets, rules, deploys; newest first. Older than a day is in the history."""
        begin = clock.timestamp() - _HOUR if since is None else undate(clock, since)

        def build() -> ChangeList:
            found = backend.recent_changes(begin)
            return ChangeList(changes=change_models(found[:limit], clock), total=len(found), since=clock.date(begin))

        return await answer(backend, build)


def change_models(changes: Iterable[Change], clock: Clock) -> list[ChangeModel]:
    """*changes*, as they are shown."""
    return [
        ChangeModel(
            at=clock.date(one.at),
            kind=one.kind,
            text=one.text,
            subject=one.subject,
            rule=one.rule,
            severity=one.severity,
            by=one.by,
            comment=one.comment,
        )
        for one in changes
    ]


def changes_json(changes: Sequence[Change], clock: Clock) -> list[dict[str, Any]]:
    """*changes*, as streams tell them."""
    return [model.model_dump(mode="json") for model in change_models(changes, clock)]
