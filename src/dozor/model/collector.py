"""How what is watched is read, as others are told of it."""

from typing import Final

from msgspec import Struct

from dozor.model.labels import Labels

SCRAPE_PREFIX: Final = "scrape:"
"""What the names of collectors that read somebody's metrics begin with."""


class ScrapedPage(Struct, frozen=True):
    """A page that is read at a pace of its own.

    Attributes:
        labels: those that its series get.
        url: without secrets.
        interval_seconds: between two looks.
        timeout_seconds: the longest that one may take.
    """

    labels: Labels
    url: str
    interval_seconds: float
    timeout_seconds: float


class CollectorHealth(Struct, frozen=True):
    """How one collector fares.

    Attributes:
        age_seconds: since its last success.
        failing: its present failure in words; None: it succeeds.
        collected_at: when it was last stored, in Unix seconds; None before the first time.
        duration_seconds: how long the last collection took.
        scraped: what it reads, where that is a page of somebody's metrics.
    """

    name: str
    age_seconds: float
    failing: str | None
    collected_at: float | None
    duration_seconds: float | None
    scraped: ScrapedPage | None = None
