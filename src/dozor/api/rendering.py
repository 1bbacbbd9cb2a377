"""From records to bytes: built and written in Dozor's thread, so that the application's loop only awaits."""

import math
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec
from fastapi import Response
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from dozor.api.backend import Backend
from dozor.api.encoding import encodable, encoded
from dozor.clock import Clock
from dozor.model.sample import Family, MetricType

NO_STORE: Final = {"Cache-Control": "no-store"}


async def answer(backend: Backend, build: Callable[[], BaseModel]) -> Response:
    """What *build* makes, as JSON. Both happen in Dozor's thread."""
    return json_response(await backend.in_dozor(lambda: to_json(build())))


def json_response(body: bytes, status: int = 200) -> Response:
    """*body*, which is JSON already."""
    return Response(body, status, NO_STORE, "application/json")


def to_json(model: BaseModel) -> bytes:
    """*model* without the fields that were not set."""
    try:
        return model.model_dump_json(exclude_unset=True).encode()
    except (PydanticSerializationError, UnicodeEncodeError):
        return msgspec.json.encode(encodable(model.model_dump(exclude_unset=True)), enc_hook=str)


def metrics_json(families: Iterable[Family], collected_at: datetime) -> bytes:
    """A `MetricList`, written without a model for each of what may be ten thousand samples."""
    return encoded({"metrics": [_metric(family) for family in families], "collected_at": collected_at})


def _metric(family: Family) -> dict[str, Any]:
    named = family.type is MetricType.HISTOGRAM
    samples = [
        {"labels": dict(labels.pairs), "value": value, "name": name}
        if named
        else {"labels": dict(labels.pairs), "value": value}
        for name, labels, value in family.samples
        if math.isfinite(value)
    ]
    return {
        "name": family.name,
        "type": family.type.value,
        "unit": family.unit,
        "help": family.help,
        "samples": samples,
    }


def date(clock: Clock, timestamp: float | None) -> datetime | None:
    """*timestamp* as people see it."""
    return None if timestamp is None else clock.date(timestamp)
