"""The shapes of what has changed, and of marks in time."""

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field

from dozor.api.examples import ALERT, example
from dozor.api.schemas import Moment, Who, said
from dozor.model.alert import Severity
from dozor.overview import ChangeKind

CHANGE: Final[dict[str, Any]] = {
    "at": "2026-11-22T19:32:52Z",
    "kind": "alert_fired",
    "text": "PoolUtilizationHigh fires: 96 % of the connections of pool default are in use.",
    "subject": ALERT["id"],
    "rule": ALERT["rule"],
    "severity": "CRITICAL",
    "by": None,
    "comment": None,
}
ANNOTATION: Final[dict[str, Any]] = {
    "id": "7c0a4f6e5f0e4d0b9a3c6d1e8b7a5c21",
    "at": "2026-11-22T19:30:40Z",
    "text": "Deployed 1.2.3",
    "tags": ["deploy"],
    "by": "anna",
}


class ChangeModel(BaseModel):
    """One thing that changed."""

    model_config = example(CHANGE)

    at: datetime
    kind: Annotated[ChangeKind, Field(description="For programs that find words of their own.")]
    text: Annotated[str, Field(description="What changed, in a sentence.")]
    subject: Annotated[
        str, Field(description="The id of the alert or annotation, or the name of the target; or empty.")
    ]
    rule: Annotated[str | None, Field(description="Of an alert.")]
    severity: Annotated[Severity | None, Field(description="Of an alert.")]
    by: str | None
    comment: str | None


class ChangeList(BaseModel):
    """What has changed, newest first."""

    model_config = example({"changes": [CHANGE], "total": 1, "since": "2026-11-22T18:36:02Z"})

    changes: list[ChangeModel]
    total: Annotated[int, Field(description="How many there were.")]
    since: datetime


Tag = Annotated[str, Field(min_length=1, max_length=50), AfterValidator(said)]


class AnnotationRequest(BaseModel):
    """What happened, and when."""

    model_config = example({"text": "Deployed 1.2.3", "tags": ["deploy"], "by": "anna"}, extra="forbid")

    text: Annotated[str, Field(max_length=500, description="What happened."), AfterValidator(said)]
    at: Annotated[Moment | None, Field(description="When; now, if not given.")] = None
    tags: Annotated[
        list[Tag], Field(default_factory=list, max_length=10, description="`deploy` marks another version.")
    ]
    by: Who = None


class AnnotationModel(BaseModel):
    """A mark in time."""

    model_config = example(ANNOTATION)

    id: str
    at: datetime
    text: str
    tags: list[str]
    by: Annotated[str | None, Field(description="Who set it; null: Dozor itself, or somebody who gave no name.")]


class AnnotationAnswer(AnnotationModel):
    """The mark as it was set."""

    model_config = example({**ANNOTATION, "durable": True})

    durable: Annotated[
        bool, Field(description="Committed; false: it holds in memory and is written when the store answers.")
    ]


class AnnotationList(BaseModel):
    """One page of marks, newest first."""

    model_config = example({"annotations": [ANNOTATION], "next_cursor": None})

    annotations: list[AnnotationModel]
    next_cursor: str | None
