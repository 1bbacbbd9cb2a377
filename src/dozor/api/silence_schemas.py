"""The shapes of silences, as they stand in the OpenAPI document."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from dozor.api.examples import ALERT, SILENCE, TIMELINE, example
from dozor.api.schemas import AlertModel, Comment, EventModel, Moment, State, Who
from dozor.model.alert import Severity

SilenceStateName = Literal["SCHEDULED", "ACTIVE", "EXPIRED"]
Matchers = Annotated[
    list[Annotated[str, Field(max_length=1000)]],
    Field(
        min_length=1,
        max_length=50,
        description="All must match. In Alertmanager's notation, over labels, `severity` and `component`.",
        examples=[['pool="main"', 'severity=~"info|warning"']],
    ),
]


class MatchersRequest(BaseModel):
    """Which alerts are asked for."""

    model_config = example({"matchers": SILENCE["matchers"]}, extra="forbid")

    matchers: Matchers


class MatcherSilenceRequest(MatchersRequest):
    """A silence by matchers: exactly one of `ends_at`, `duration` and `until_resolved` says for how long."""

    model_config = example(
        {
            "matchers": SILENCE["matchers"],
            "starts_at": SILENCE["starts_at"],
            "duration": "2h",
            "by": SILENCE["by"],
            "comment": SILENCE["comment"],
        },
        extra="forbid",
    )

    starts_at: Annotated[
        Moment | None, Field(description="When it begins; left out: now, or (of one that is changed) as it was.")
    ] = None
    ends_at: Annotated[Moment | None, Field(description="A moment in the future.")] = None
    duration: Annotated[
        str | None,
        Field(max_length=100, description="A Prometheus duration from its beginning on: `90s`, `1h30m`, `2d`."),
    ] = None
    until_resolved: Annotated[
        bool | None, Field(description="True: until the alerts that it has silenced have all resolved.")
    ] = None
    by: Who = None
    comment: Comment = None


class AlertLink(BaseModel):
    """An alert, by what tells it from others."""

    id: str
    rule: str
    severity: Severity
    state: State
    labels: dict[str, str]


class SilenceModel(BaseModel):
    """A silence, and what it keeps quiet now."""

    model_config = example(SILENCE)

    id: str
    matchers: list[str]
    alert_id: Annotated[str | None, Field(description="The alert whose own silence it is; it has no matchers then.")]
    state: SilenceStateName
    starts_at: datetime
    ends_at: Annotated[datetime | None, Field(description="Null: when the alerts that it has silenced have resolved.")]
    until_resolved: bool
    by: str | None
    comment: str | None
    created_at: datetime
    updated_at: datetime
    ended_at: Annotated[datetime | None, Field(description="When it was ended before its time.")]
    alerts: Annotated[list[AlertLink], Field(description="Alerts that it silences now, up to 100.")]
    matched: Annotated[int, Field(description="How many it silences now.")]


class SilenceAnswer(SilenceModel):
    """The silence as it now is."""

    model_config = example({**SILENCE, "durable": True})

    durable: Annotated[
        bool, Field(description="Committed; false: it holds in memory and is written when the store answers.")
    ]


class SilenceDetail(SilenceModel):
    """A silence, and what happened to it, oldest first."""

    model_config = example({**SILENCE, "timeline": TIMELINE[-1:]})

    timeline: Annotated[
        list[EventModel] | None, Field(description="null while the store, which alone knows it, does not answer.")
    ]


class SilenceList(BaseModel):
    """One page of silences."""

    model_config = example({"silences": [SILENCE], "total": 1, "next_cursor": "MTAw"})

    silences: list[SilenceModel]
    total: int
    next_cursor: str | None


class PreviewAnswer(BaseModel):
    """What a silence would match now."""

    model_config = example({"alerts": [ALERT], "total": 1})

    alerts: Annotated[list[AlertModel], Field(description="Up to 100, worst first; pending ones too.")]
    total: int
