"""How long a silence lasts, from the three ways in which a request may say so."""

from datetime import datetime
from typing import Final

from dozor.api.problems import invalid
from dozor.clock import Clock
from dozor.duration import parse_duration
from dozor.overview.moments import undate

_LONGEST_SECONDS: Final = 100 * 365 * 86400.0


def end_of(
    clock: Clock,
    *,
    duration: str | None,
    moment: datetime | None,
    until_resolved: bool | None,
    called: str,
    begins: float | None = None,
) -> float | None:
    """When it ends (Unix seconds); None: when what it silences has resolved.

    *duration* counts from *begins* (Unix seconds; None, or in the past: from now). *called* is the request's name for
    *moment*.

    Raises:
        Problem: 422, unless exactly one way is taken and leads into the future.
    """
    given = {"duration": duration, called: moment, "until_resolved": until_resolved}
    chosen = [name for name, value in given.items() if value is not None]
    if len(chosen) != 1:
        said = f"not {' and '.join(chosen)} together" if chosen else "none was given"
        raise invalid("duration", f"Give exactly one of duration, {called} and until_resolved; {said}.")
    if until_resolved is not None:
        if not until_resolved:
            raise invalid("until_resolved", f"until_resolved can only be true; give a duration or {called} instead.")
        return None
    at = clock.timestamp()
    start = at if begins is None else max(at, begins)
    end = start + _seconds(duration) if duration is not None else _moment(clock, moment, start, called)
    if end - at > _LONGEST_SECONDS:
        raise invalid(chosen[0], "That is more than 100 years; use until_resolved to silence until it resolves.")
    return end


def _moment(clock: Clock, moment: datetime | None, start: float, called: str) -> float:
    end = start if moment is None else undate(clock, moment)
    if end <= clock.timestamp():
        now = clock.now().isoformat(timespec="seconds")
        raise invalid(called, f"{called} must lie in the future; it is {now} now.")
    if end <= start:
        raise invalid(called, f"{called} must lie after starts_at.")
    return end


def _seconds(text: str) -> float:
    try:
        seconds = parse_duration(text.strip())
    except ValueError as error:
        raise invalid("duration", f"duration: {error}.") from None
    if seconds <= 0:
        raise invalid("duration", "duration must be longer than 0, such as 30m or 1h30m.")
    return seconds
