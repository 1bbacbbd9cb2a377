"""annotations: marks in time, such as deploys, for charts and for whoever looks for a cause."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.change_schemas import AnnotationAnswer, AnnotationList, AnnotationModel, AnnotationRequest
from dozor.api.parameters import (
    Cursor,
    Limit,
    Since,
    Until,
    body_documentation,
    decode_cursor,
    encode_cursor,
    json_body,
)
from dozor.api.rendering import json_response, to_json
from dozor.clock import Clock
from dozor.database import AnnotationFilter
from dozor.model.annotation import Annotation
from dozor.overview.moments import undate

Tagged = Annotated[str | None, Query(max_length=50, description="With this tag alone.")]


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the annotations on *router*."""
    clock = backend.clock

    @router.get(
        "/annotations",
        response_model=AnnotationList,
        responses=problems.documented(422),
        summary="Marks in time",
    )
    async def annotations(
        since: Since = None, until: Until = None, tag: Tagged = None, limit: Limit = 100, cursor: Cursor = None
    ) -> Response:
        """Newest first: deploys, and what else somebody has marked."""
        wanted = AnnotationFilter(
            None if since is None else undate(clock, since),
            None if until is None else undate(clock, until),
            tag,
            None if cursor is None else decode_cursor(cursor, tuple[float, str]),
            limit + 1,
        )
        found = await backend.annotations(wanted)
        shown = found[:limit]
        more = len(found) > limit
        return json_response(
            to_json(
                AnnotationList(
                    annotations=[AnnotationModel(**_fields(one, clock)) for one in shown],
                    next_cursor=encode_cursor((shown[-1].at, shown[-1].id)) if more else None,
                )
            )
        )

    @router.post(
        "/annotations",
        response_model=AnnotationAnswer,
        status_code=201,
        responses=problems.documented(413, 415, 422),
        openapi_extra=body_documentation(AnnotationRequest, required=True),
        summary="Mark a moment",
    )
    async def annotate(body: Annotated[AnnotationRequest, Depends(json_body(AnnotationRequest))]) -> Response:
        """A deploy, a migration, a load test: whoever looks at a chart later sees it there."""
        at = None if body.at is None else undate(clock, body.at)
        made, durable = await backend.annotate(body.text, at=at, tags=body.tags, by=body.by)
        return json_response(to_json(AnnotationAnswer(**_fields(made, clock), durable=durable)), 201)


def _fields(annotation: Annotation, clock: Clock) -> dict[str, Any]:
    return {
        "id": annotation.id,
        "at": clock.date(annotation.at),
        "text": annotation.text,
        "tags": list(annotation.tags),
        "by": annotation.by,
    }
