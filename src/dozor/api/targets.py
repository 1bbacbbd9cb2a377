"""Watched things as JSON: a status, its reasons, the figures by metric name, and how old they are."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dozor.api.reading_schemas import ComponentModel, PoolTarget, RedisTarget, SparklineModel
from dozor.api.rendering import date
from dozor.clock import Clock
from dozor.overview import ComponentStatus, Overview, Sparkline, TargetStatus


def pool_target(target: TargetStatus, at: float, clock: Clock) -> PoolTarget:
    """One pool."""
    return PoolTarget(**_fields(target, at, clock), worker=target.worker)


def redis_target(target: TargetStatus, at: float, clock: Clock) -> RedisTarget:
    """One Redis server."""
    return RedisTarget(**_fields(target, at, clock), **relation(target))


def relation(target: TargetStatus) -> dict[str, Any]:
    """What a Redis server is to others."""
    return {"role": target.role or None, "part_of": target.part_of}


def _fields(target: TargetStatus, at: float, clock: Clock) -> dict[str, Any]:
    return {
        **finite(target.figures),
        "name": target.name,
        "status": target.status.value,
        "reasons": list(target.reasons),
        **freshness(target.checked_at, at, clock),
    }


def summary(component: ComponentStatus, targets: Sequence[TargetStatus], at: float, clock: Clock) -> dict[str, Any]:
    """The fields that stand above a list of *targets*. Their age is that of the oldest reading."""
    return {
        "status": None if component.status is None else component.status.value,
        "reasons": list(component.reasons),
        **freshness(oldest(target.checked_at for target in targets), at, clock),
    }


def oldest(times: Iterable[float | None]) -> float | None:
    """The first of those *times* that are known."""
    return min((time for time in times if time is not None), default=None)


def freshness(checked_at: float | None, at: float, clock: Clock) -> dict[str, Any]:
    """The fields that say when something was read, and how long that is ago at the moment *at*."""
    age = None if checked_at is None else round(max(0.0, at - checked_at), 3)
    return {"checked_at": date(clock, checked_at), "age_seconds": age}


def whole(overview: Overview) -> dict[str, Any]:
    """The fields that say how everything is."""
    return {
        "status": overview.status.value,
        "reasons": list(overview.reasons),
        "components": component_models(overview),
    }


def component_models(overview: Overview) -> dict[str, ComponentModel]:
    """The components by name."""
    return {
        name: ComponentModel(
            status=None if component.status is None else component.status.value, reasons=list(component.reasons)
        )
        for name, component in overview.components.items()
    }


def sparkline_model(line: Sparkline, clock: Clock) -> SparklineModel:
    """*line*, at the times that people see, where the time of day has been set."""
    offset = clock.offset()
    shift = offset if abs(offset) >= 1 else 0.0
    return SparklineModel(
        title=line.title,
        unit=line.unit,
        labels=dict(line.labels),
        points=[(at + shift, value) for at, value in line.points],
    )


def finite(figures: Mapping[str, float]) -> dict[str, float]:
    """*figures* without what is no number."""
    return {name: value for name, value in figures.items() if math.isfinite(value)}
