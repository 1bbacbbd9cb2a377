"""Moments as people type them."""

import re
from datetime import datetime, timedelta
from typing import Final

from dozor.duration import parse_duration
from dozor.errors import ConfigurationError

_OF_DAY: Final = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)


def moment(text: str, now: datetime, *, key: str) -> datetime:
    """What *text*, given as *key*, means: `18:00`, `2026-11-22 18:00` on the local clock, or an RFC 3339 time.

    A time of day is the next such one. *now* carries the local time zone, as what is returned does.

    Raises:
        ConfigurationError: it is none of these.
    """
    try:
        if of_day := _OF_DAY.fullmatch(text.strip()):
            today = now.replace(hour=int(of_day[1]), minute=int(of_day[2]), second=0, microsecond=0, tzinfo=None)
            return _local(today if _local(today) > now else today + timedelta(days=1))
        found = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{text[:60]!r} is not a time; write it like 18:00, '2026-11-22 18:00' or 2026-11-22T18:00:00Z", key=key
        ) from None
    return found if found.tzinfo else _local(found)


def ago(text: str, now: datetime, *, key: str) -> datetime:
    """The moment a duration (`24h`) ago, or the moment that *text* names. Raises as `moment` does."""
    try:
        return now - timedelta(seconds=parse_duration(text.strip()))
    except (ValueError, OverflowError):
        pass
    try:
        return moment(text, now, key=key)
    except ConfigurationError:
        raise ConfigurationError(
            f"{text[:60]!r} is neither a duration, such as 24h, nor a time, such as 2026-11-22T18:00:00Z", key=key
        ) from None


def duration(text: str, *, key: str) -> str:
    """*text*, which must be a duration above 0. Raises ConfigurationError."""
    try:
        if parse_duration(text.strip()) > 0:
            return text.strip()
    except ValueError as error:
        raise ConfigurationError(str(error), key=key) from None
    raise ConfigurationError("it must be longer than 0, such as 30m or 1h30m", key=key)


def at_least(text: str, least: float, *, key: str) -> float:
    """The seconds of *text*, a duration of at least *least* seconds. Raises ConfigurationError."""
    try:
        found = parse_duration(text.strip())
    except ValueError as error:
        raise ConfigurationError(str(error), key=key) from None
    if found < least:
        raise ConfigurationError(f"{text.strip()} is too short; {least:g} s is the least", key=key)
    return found


def _local(naive: datetime) -> datetime:
    # By way of the clock's own rules: a fixed offset would be wrong across a change to summer time.
    return naive.astimezone()
