"""Watched things as JSON: a status, its reasons, the figures by metric name, and how old they are."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dozor.api.reading_schemas import ComponentModel, PoolTarget, RedisTarget
from dozor.api.rendering import date
from dozor.clock import Clock
from dozor.overview import ComponentStatus, Overview, TargetStatus


def pool_target(target: TargetStatus, at: float, clock: Clock) -> PoolTarget:
    """One pool."""
    return PoolTarget(**_fields(target, at, clock), worker=target.worker)


def redis_target(target: TargetStatus, at: float, clock: Clock) -> RedisTarget:
    """One Redis server."""
    return RedisTarget(**_fields(target, at, clock))


def _fields(target: TargetStatus, at: float, clock: Clock) -> dict[str, Any]:
    return {
        **finite(target.figures),
        "name": target.name,
        "status": target.status.value,
        "reasons": list(target.reasons),
        "checked_at": date(clock, target.checked_at),
        "age_seconds": _age(target.checked_at, at),
    }


def summary(component: ComponentStatus, targets: Sequence[TargetStatus], at: float, clock: Clock) -> dict[str, Any]:
    """The fields that stand above a list of *targets*. Their age is that of the oldest reading."""
    read = [target.checked_at for target in targets if target.checked_at is not None]
    oldest = min(read, default=None)
    return {
        "status": None if component.status is None else component.status.value,
        "reasons": list(component.reasons),
        "checked_at": date(clock, oldest),
        "age_seconds": _age(oldest, at),
    }


def _age(checked_at: float | None, at: float) -> float | None:
    return None if checked_at is None else round(max(0.0, at - checked_at), 3)


def component_models(overview: Overview) -> dict[str, ComponentModel]:
    """The components by name."""
    return {
        name: ComponentModel(
            status=None if component.status is None else component.status.value, reasons=list(component.reasons)
        )
        for name, component in overview.components.items()
    }


def finite(figures: Mapping[str, float]) -> dict[str, float]:
    """*figures* without what is no number."""
    return {name: value for name, value in figures.items() if math.isfinite(value)}
