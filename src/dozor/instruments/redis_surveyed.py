"""What was found out of one Redis beside `INFO`, for whoever reads it: without what asks it, which a Dozor may not need."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct, field

from dozor.instruments.redis_info import InfoValue


class LatencyEvent(Struct, frozen=True):
    """One kind of delay that the server's latency monitor noticed.

    Attributes:
        name: as the server calls it (`command`, `fork`, `aof-write`, `expire-cycle` …).
        at: when it last happened, in Unix seconds of the server's clock.
        last_seconds, max_seconds: how long it lasted then, and at worst.
        history: the last of them, oldest first: time and seconds.
    """

    name: str
    at: float
    last_seconds: float
    max_seconds: float
    history: tuple[tuple[float, float], ...] = ()


class Standing(NamedTuple):
    """How a primary stands that a sentinel watches; None: not known.

    *ok_replicas* and *ok_sentinels* (this one counted) are those that it does not find down; *quorum*: whether enough
    sentinels are there to fail over.
    """

    ok_replicas: int | None
    ok_sentinels: int | None
    quorum: bool | None


class Surveyed(Struct, frozen=True):
    """What was found out beside `INFO`; replaced as a whole. None or empty is unknown."""

    at: float = -math.inf
    latency_events: tuple[LatencyEvent, ...] | None = None
    slow_log_length: int | None = None
    settings: Mapping[str, int] | None = None
    cluster: Mapping[str, InfoValue] | None = None
    primaries: tuple[Mapping[str, str], ...] | None = None
    standings: Mapping[str, Standing] = field(default_factory=dict)
