"""The shapes of channels and of the outbox, as they stand in the OpenAPI document."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from dozor.api.examples import CHANNEL, LETTER, NOW, example
from dozor.api.silence_schemas import AlertLink

LetterState = Literal["pending", "sent", "dead"]


class ChannelModel(BaseModel):
    """Somebody who is told, and how that fares since Dozor started."""

    model_config = example(CHANNEL)

    name: str
    kind: Annotated[str, Field(description="`slack`, `email`, `log` …; `own`: a notifier of the application's.")]
    target: Annotated[str, Field(description="Where it leads, without secrets; empty where that is not known.")]
    state: Annotated[
        Literal["OK", "FAILING", "OPEN", "UNUSED"],
        Field(description="OPEN: so many attempts failed that it is left alone until `retry_at`."),
    ]
    waiting: Annotated[int, Field(description="Notifications on their way to it.")]
    sent: int
    failed: Annotated[int, Field(description="Attempts that failed and were to be repeated.")]
    dead: Annotated[int, Field(description="Notifications that were given up.")]
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_error: str | None
    retry_at: datetime | None


class ChannelList(BaseModel):
    """Everybody who is told."""

    model_config = example({"channels": [CHANNEL], "generated_at": NOW})

    channels: list[ChannelModel]
    generated_at: datetime


class ChannelTestAnswer(BaseModel):
    """A test message arrived, and how long that took."""

    model_config = example({"delivered": True, "seconds": 0.214})

    delivered: Literal[True]
    seconds: float


class LetterModel(BaseModel):
    """One notification on its way to one channel, or at its end."""

    model_config = example(LETTER)

    id: int
    notification_id: Annotated[
        str, Field(description="The idempotency key, the same in every attempt at every channel.")
    ]
    channel: str
    state: Annotated[LetterState, Field(description="dead: it was given up, and can be retried.")]
    occasion: Annotated[str, Field(description="Why people are told: `firing`, `escalated`, `reminder`, `resolved` …")]
    group: Annotated[str, Field(description="The rule that its alerts have in common.")]
    alerts: Annotated[list[AlertLink], Field(description="As they were then, up to 100.")]
    omitted: Annotated[int, Field(description="How many more it is about than it shows.")]
    attempts: int
    created_at: datetime
    next_at: Annotated[
        datetime | None, Field(description="When it is tried next, at the earliest, while it is pending.")
    ]
    settled_at: Annotated[datetime | None, Field(description="When it arrived or was given up.")]
    last_error: str | None


class LetterList(BaseModel):
    """One page of the outbox."""

    model_config = example({"notifications": [LETTER], "total": 1, "next_cursor": "MTAw"})

    notifications: list[LetterModel]
    total: int
    next_cursor: str | None


class RetryRequest(BaseModel):
    """Whose dead letters are to be sent again."""

    model_config = example({"channel": "slack"}, extra="forbid")

    channel: Annotated[str | None, Field(max_length=200, description="Of this channel alone; left out: all.")] = None


class RetryAnswer(BaseModel):
    """How many are sent again."""

    model_config = example({"retried": 3})

    retried: int
