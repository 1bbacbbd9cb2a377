"""The shapes of what the stream carries. Here, what is null elsewhere is absent: in a merge patch, null takes away."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from dozor.api.examples import ALERT, COMPONENTS, HOST, HTTP, NOW, POOL, POOL_REASON, SERVER, example
from dozor.api.reading_schemas import ComponentModel, PoolTarget, RedisTarget, SparklineModel, SystemStatus
from dozor.api.schemas import AcknowledgementModel, AlertModel, AlertSilenceModel

_AGE = "Only where the figures are older than the whole."
_KEPT_OUT = {"evidence", "checked_at", "age_seconds"}


def _sparse(shown: dict[str, Any]) -> dict[str, Any]:
    """The example *shown*, as the stream would carry it."""
    return {name: value for name, value in shown.items() if value is not None and name not in _KEPT_OUT}


class LivePool(PoolTarget):
    """A connection pool, as in dashboard/overview."""

    model_config = example(_sparse(POOL), extra="allow")

    worker: str | None = None
    checked_at: Annotated[datetime | None, Field(description=_AGE)] = None
    age_seconds: Annotated[float | None, Field(description="Always absent: it follows from the times.")] = None


class LiveServer(RedisTarget):
    """A Redis server, as in dashboard/overview."""

    model_config = example(_sparse(SERVER), extra="allow")

    checked_at: Annotated[datetime | None, Field(description=_AGE)] = None
    age_seconds: Annotated[float | None, Field(description="Always absent: it follows from the times.")] = None


class LiveAlert(AlertModel):
    """An alert that fires, as in dashboard/overview, but for its evidence: `alerts/{alert_id}` has that."""

    model_config = example(_sparse(ALERT))

    value: float | None = None
    threshold: str | None = None
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    resolve_reason: str | None = None
    acknowledged: AcknowledgementModel | None = None
    silenced: AlertSilenceModel | None = None
    evidence: dict[str, Any] = Field(default_factory=dict, description="Always absent here.")


class LiveOverview(BaseModel):
    """dashboard/overview as one document that patches apply to: what is a list there and changes by parts is a map here."""

    model_config = example(
        {
            "status": "CRITICAL",
            "reasons": [POOL_REASON],
            "components": COMPONENTS,
            "alerts": {ALERT["id"]: _sparse(ALERT)},
            "alert_order": [ALERT["id"]],
            "alerts_total": 1,
            "pools": {"default": _sparse(POOL)},
            "servers": {"cache": _sparse(SERVER)},
            "http": HTTP,
            "host": HOST,
            "sparklines": {
                "host_cpu": {
                    "": {"title": "CPU", "unit": "percent", "labels": {}, "points": [[1795375740.0, 30.5]]},
                }
            },
            "name": "shop",
            "environment": "production",
            "version": "1.0.0",
            "started_at": "2026-11-22T17:20:39Z",
            "receivers": ["slack", "log"],
            "interval_seconds": 1.0,
            "checked_at": NOW,
            "generated_at": NOW,
        }
    )

    status: SystemStatus
    reasons: list[str]
    components: dict[str, ComponentModel]
    alerts: Annotated[dict[str, LiveAlert], Field(description="The worst 100 that fire, by id.")]
    alert_order: Annotated[list[str], Field(description="Their ids, worst first.")]
    alerts_total: Annotated[int, Field(description="How many fire.")]
    pools: Annotated[dict[str, LivePool], Field(description="By name; of one of several workers, `NAME@WORKER`.")]
    servers: Annotated[dict[str, LiveServer], Field(description="By name.")]
    http: dict[str, float]
    host: dict[str, float]
    sparklines: Annotated[
        dict[str, dict[str, SparklineModel]],
        Field(description='By figure, then by the labels of the line (`pool="main"`).'),
    ]
    name: Annotated[str, Field(description="Of the application.")]
    environment: str | None = None
    version: Annotated[str, Field(description="Dozor's own.")]
    started_at: Annotated[datetime | None, Field(description="Since when Dozor watches.")] = None
    receivers: Annotated[list[str], Field(description="The channels by which people are told.")]
    interval_seconds: Annotated[float, Field(description="How often everything is looked at.")]
    checked_at: Annotated[datetime | None, Field(description="When it last was.")] = None
    generated_at: datetime
