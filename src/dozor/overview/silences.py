"""Silences for people: those by matchers, and those that single alerts have, in one inventory."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from dozor.model.alert import Alert
from dozor.model.silence import Silence

OWN_PREFIX: Final = "alert-"
"""The id of an alert's own silence is this and the alert's id."""


class SilenceRecord(Struct, frozen=True):
    """A silence and what it keeps quiet: *alerts*, those that it silences now."""

    silence: Silence
    alerts: tuple[Alert, ...] = ()

    @property
    def alert_id(self) -> str | None:
        """The alert whose own silence it is; such a one has no matchers. None for a silence by matchers."""
        return None if self.silence.matchers else self.silence.id.removeprefix(OWN_PREFIX)


def own_silence(alert: Alert, *, ended_at: float | None = None) -> Silence | None:
    """The silence that *alert* itself has, as one of the inventory; None where it has none.

    *ended_at* (Unix seconds): it has just been taken off.
    """
    own = alert.silenced
    if own is None:
        return None
    return Silence(
        id=f"{OWN_PREFIX}{alert.id}",
        matchers=(),
        starts_at=own.at,
        ends_at=own.until,
        created_at=own.at,
        updated_at=own.at if ended_at is None else ended_at,
        by=own.by,
        comment=own.comment,
        matched=True,
        ended_at=ended_at,
    )


def inventory(by_matchers: Iterable[SilenceRecord], alerts: Iterable[Alert]) -> list[SilenceRecord]:
    """The silences *by_matchers* and those that *alerts*, which have not ended, themselves have; the newest first."""
    own = [SilenceRecord(silence, (alert,)) for alert in alerts if (silence := own_silence(alert)) is not None]
    return sorted([*by_matchers, *own], key=lambda record: age_key(record.silence))


def age_key(silence: Silence) -> tuple[float, str]:
    """Sorts silences, the newest first."""
    return -silence.created_at, silence.id
