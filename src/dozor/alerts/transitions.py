"""The life of an alert: the only state machine. `TABLE` is all of it, `step` looks a row up and carries it out.

An alert is in one of three phases; what people have done about it (acknowledged, silenced) and what keeps it quiet
(inhibited, flapping) are facets beside the phase, from which `Alert.state` follows. All functions are pure: time is an
argument.

The condition of a rule says one of four things at each evaluation:

    BREACHED   it holds
    CLEAR      the resolve condition holds; for a rule without one: the condition does not
    BETWEEN    neither: the value lies between the two thresholds
    NO_DATA    neither, and the series is gone
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dozor.errors import ActionForbidden
from dozor.model.alert import Acknowledgement, Alert, AlertSilence, Severity
from dozor.model.notification import AuditEntry

CONDITION_ENDED: Final = "the condition ended"
CLOSED_BY_HAND: Final = "closed by hand"


class Phase(StrEnum):
    """Where an alert is in its life."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Event(StrEnum):
    """What may happen to an alert: by condition, by time, by others, by a person."""

    BREACHED = "breached"
    CLEAR = "clear"
    BETWEEN = "between"
    NO_DATA = "no data"
    SILENCE_OVER = "silence over"
    FLAPPING = "flapping"
    UNACKNOWLEDGED = "unacknowledged"
    WORSENED = "worsened"
    INHIBITION = "inhibition"
    SILENCES = "silences"
    TARGET_REMOVED = "target removed"
    ACKNOWLEDGE = "acknowledge"
    RELEASE = "release"
    SILENCE = "silence"
    UNSILENCE = "unsilence"
    RESOLVE = "resolve"


class Happening(Struct, frozen=True):
    """An event with what belongs to it. *at* is in Unix seconds.

    Attributes:
        hold_seconds: how long a condition must hold (BREACHED: the rule's `for`; CLEAR: its `dozor_resolve_for` or
            `keep_firing_for`).
        severity: what an escalation rises to.
        names: the rules that inhibit, or the ids of the silences that match, from now on.
        count: how often the alert's identity has fired lately, where that is so often that it flaps; else 0.
        until: the end of a silence (None: until the alert resolves), or of the quiet time of one that flaps.
        by, comment: who, and why; for TARGET_REMOVED the comment is the reason.
    """

    event: Event
    at: float
    hold_seconds: float = 0.0
    severity: Severity | None = None
    names: tuple[str, ...] = ()
    count: int = 0
    until: float | None = None
    by: str | None = None
    comment: str | None = None


Guard = Callable[[Alert, Happening], bool]
Effect = Callable[[Alert, Happening], Alert | None]


class Transition(Struct, frozen=True):
    """One row: in *phase*, at *event*, if *guard* says so, *effect* makes the alert anew (None: it is forgotten).

    *audit* is the entry's event in the audit trail; empty where nothing is worth one.
    """

    phase: Phase
    event: Event
    guard: Guard
    effect: Effect
    audit: str = ""


class Step(Struct, frozen=True):
    """What became of an alert: itself, if nothing did; None, if there is nothing more to track."""

    alert: Alert | None
    audit: AuditEntry | None = None


def phase(alert: Alert) -> Phase:
    """The phase that *alert* is in."""
    if alert.resolved_at is not None:
        return Phase.RESOLVED
    return Phase.PENDING if alert.fired_at is None else Phase.FIRING


def step(alert: Alert, happening: Happening) -> Step:
    """*alert* after *happening*: the first row of `TABLE` whose guard holds; the alert itself where none does.

    Raises:
        ActionForbidden: a person asks for what the alert's state does not allow.
    """
    for row in _ROWS.get((phase(alert), happening.event), ()):
        if row.guard(alert, happening):
            after = row.effect(alert, happening)
            if after is alert:
                break
            audit = (
                AuditEntry(alert.id, happening.at, row.audit, happening.by, happening.comment) if row.audit else None
            )
            return Step(after, audit)
    return Step(alert)


# Guards


def _always(_: Alert, __: Happening) -> bool:
    return True


def _held(alert: Alert, now: Happening) -> bool:
    return now.at - alert.active_at >= now.hold_seconds


def _cleared(alert: Alert, now: Happening) -> bool:
    return now.at - (now.at if alert.clear_since is None else alert.clear_since) >= now.hold_seconds


def _ran_out(alert: Alert, now: Happening) -> bool:
    silence = alert.silenced
    return silence is not None and silence.until is not None and silence.until <= now.at


def _rises(alert: Alert, now: Happening) -> bool:
    return now.severity is not None and now.severity > alert.severity


def _neglected(alert: Alert, now: Happening) -> bool:
    """Nobody owns it, though people were in a position to know of it, for long enough."""
    quiet = alert.acknowledged or alert.silenced or alert.silenced_by or alert.inhibited_by
    return not quiet and _rises(alert, now) and now.at - (alert.fired_at or now.at) >= now.hold_seconds


def _now_inhibited(alert: Alert, now: Happening) -> bool:
    return bool(now.names) and not alert.inhibited_by


def _no_longer_inhibited(alert: Alert, now: Happening) -> bool:
    return not now.names and bool(alert.inhibited_by)


def _inhibited_otherwise(alert: Alert, now: Happening) -> bool:
    return now.names != alert.inhibited_by


def _no_longer_matched(alert: Alert, now: Happening) -> bool:
    return not now.names and bool(alert.silenced_by)


def _matched_otherwise(alert: Alert, now: Happening) -> bool:
    return now.names != alert.silenced_by


def _has_silence(alert: Alert, _: Happening) -> bool:
    return alert.silenced is not None


def _has_owner(alert: Alert, _: Happening) -> bool:
    return alert.acknowledged is not None


def _flaps(_: Alert, now: Happening) -> bool:
    return now.count > 0


def _flapped(alert: Alert, now: Happening) -> bool:
    return now.count == 0 and alert.flaps > 0


# Effects


def _forget(_: Alert, __: Happening) -> None:
    return None


def _fire(alert: Alert, now: Happening) -> Alert:
    return replace(alert, fired_at=now.at, holds=True, no_data=False, clear_since=None)


def _hold(alert: Alert, _: Happening) -> Alert:
    if alert.holds and alert.clear_since is None and not alert.no_data:
        return alert
    return replace(alert, holds=True, clear_since=None, no_data=False)


def _begin_clearing(alert: Alert, now: Happening) -> Alert:
    if alert.clear_since is not None and not alert.holds and not alert.no_data:
        return alert
    since = now.at if alert.clear_since is None else alert.clear_since
    return replace(alert, holds=False, clear_since=since, no_data=False)


def _linger(alert: Alert, _: Happening) -> Alert:
    if not alert.holds and alert.clear_since is None and not alert.no_data:
        return alert
    return replace(alert, holds=False, clear_since=None, no_data=False)


def _lose_sight(alert: Alert, _: Happening) -> Alert:
    if alert.no_data and alert.clear_since is None:
        return alert
    return replace(alert, clear_since=None, no_data=True)


def _end(alert: Alert, now: Happening) -> Alert:
    return replace(alert, resolved_at=now.at, resolve_reason=CONDITION_ENDED, holds=False, no_data=False)


def _close(alert: Alert, now: Happening) -> Alert:
    return replace(alert, resolved_at=now.at, resolve_reason=CLOSED_BY_HAND)


def _remove(alert: Alert, now: Happening) -> Alert:
    return replace(alert, resolved_at=now.at, resolve_reason=now.comment)


def _speak_again(alert: Alert, _: Happening) -> Alert:
    return replace(alert, silenced=None, tell_again=_has_no_owner(alert))


def _match(alert: Alert, now: Happening) -> Alert:
    return replace(alert, silenced_by=now.names)


def _match_no_more(alert: Alert, _: Happening) -> Alert:
    return replace(alert, silenced_by=(), tell_again=_has_no_owner(alert))


def _has_no_owner(alert: Alert) -> bool:
    return alert.told_severity is not None and alert.acknowledged is None


def _flap(alert: Alert, now: Happening) -> Alert:
    ends = [until for until in (alert.quiet_until, now.until) if until is not None]
    return replace(alert, flaps=now.count, quiet_until=max(ends, default=None))


def _calm_down(alert: Alert, _: Happening) -> Alert:
    return replace(alert, flaps=0)


def _escalate(alert: Alert, now: Happening) -> Alert:
    return replace(alert, severity=now.severity or alert.severity)


def _inhibit(alert: Alert, now: Happening) -> Alert:
    return replace(alert, inhibited_by=now.names)


def _acknowledge(alert: Alert, now: Happening) -> Alert:
    return replace(alert, acknowledged=Acknowledgement(now.at, now.by, now.comment))


def _release(alert: Alert, _: Happening) -> Alert:
    # Whoever heard that somebody has it must hear that nobody has.
    return replace(alert, acknowledged=None, tell_again=alert.told_severity is not None)


def _silence(alert: Alert, now: Happening) -> Alert:
    return replace(alert, silenced=AlertSilence(now.at, now.until, now.by, now.comment))


def _forbid(alert: Alert, now: Happening) -> None:
    raise ActionForbidden(now.event.value, alert.id, alert.state.value)


P, F, R = Phase.PENDING, Phase.FIRING, Phase.RESOLVED
TABLE: Final[tuple[Transition, ...]] = (
    # By condition
    Transition(P, Event.BREACHED, _held, _fire, "fired"),
    Transition(P, Event.BREACHED, _always, _hold),
    Transition(P, Event.CLEAR, _always, _forget, "ended before it fired"),
    Transition(P, Event.BETWEEN, _always, _forget, "ended before it fired"),
    Transition(P, Event.NO_DATA, _always, _forget, "ended before it fired"),
    Transition(F, Event.BREACHED, _always, _hold),
    Transition(F, Event.CLEAR, _cleared, _end, "resolved"),
    Transition(F, Event.CLEAR, _always, _begin_clearing),
    Transition(F, Event.BETWEEN, _always, _linger),
    Transition(F, Event.NO_DATA, _always, _lose_sight),
    # By time and value
    Transition(P, Event.SILENCE_OVER, _ran_out, _speak_again, "silence ended"),
    Transition(F, Event.SILENCE_OVER, _ran_out, _speak_again, "silence ended"),
    Transition(F, Event.FLAPPING, _flaps, _flap, "flapping"),
    Transition(F, Event.FLAPPING, _flapped, _calm_down, "no longer flapping"),
    Transition(F, Event.UNACKNOWLEDGED, _neglected, _escalate, "escalated: nobody acknowledged it"),
    Transition(F, Event.WORSENED, _rises, _escalate, "escalated: it got worse"),
    # By others
    Transition(P, Event.INHIBITION, _now_inhibited, _inhibit, "inhibited"),
    Transition(P, Event.INHIBITION, _no_longer_inhibited, _inhibit, "no longer inhibited"),
    Transition(P, Event.INHIBITION, _inhibited_otherwise, _inhibit, "inhibited"),
    Transition(F, Event.INHIBITION, _now_inhibited, _inhibit, "inhibited"),
    Transition(F, Event.INHIBITION, _no_longer_inhibited, _inhibit, "no longer inhibited"),
    Transition(F, Event.INHIBITION, _inhibited_otherwise, _inhibit, "inhibited"),
    Transition(P, Event.SILENCES, _no_longer_matched, _match_no_more, "silence ended"),
    Transition(P, Event.SILENCES, _matched_otherwise, _match, "silenced"),
    Transition(F, Event.SILENCES, _no_longer_matched, _match_no_more, "silence ended"),
    Transition(F, Event.SILENCES, _matched_otherwise, _match, "silenced"),
    Transition(P, Event.TARGET_REMOVED, _always, _forget, "ended before it fired"),
    Transition(F, Event.TARGET_REMOVED, _always, _remove, "resolved"),
    # By a person
    Transition(P, Event.ACKNOWLEDGE, _always, _forbid),
    Transition(P, Event.RELEASE, _always, _forbid),
    Transition(P, Event.SILENCE, _always, _silence, "silenced"),
    Transition(P, Event.UNSILENCE, _has_silence, _speak_again, "silence ended"),
    Transition(P, Event.UNSILENCE, _always, _forbid),
    Transition(P, Event.RESOLVE, _always, _forbid),
    Transition(F, Event.ACKNOWLEDGE, _always, _acknowledge, "acknowledged"),
    Transition(F, Event.RELEASE, _has_owner, _release, "no longer acknowledged"),
    Transition(F, Event.RELEASE, _always, _forbid),
    Transition(F, Event.SILENCE, _always, _silence, "silenced"),
    Transition(F, Event.UNSILENCE, _has_silence, _speak_again, "silence ended"),
    Transition(F, Event.UNSILENCE, _always, _forbid),
    Transition(F, Event.RESOLVE, _always, _close, "closed by hand"),
    Transition(R, Event.ACKNOWLEDGE, _always, _forbid),
    Transition(R, Event.RELEASE, _always, _forbid),
    Transition(R, Event.SILENCE, _always, _forbid),
    Transition(R, Event.UNSILENCE, _always, _forbid),
    Transition(R, Event.RESOLVE, _always, _forbid),
)
"""Every transition there is. What is not in it changes nothing: a resolved alert stays as it is, whatever its series does."""

_ROWS: Final[Mapping[tuple[Phase, Event], tuple[Transition, ...]]] = {
    (where, event): tuple(row for row in TABLE if (row.phase, row.event) == (where, event))
    for where in Phase
    for event in Event
}
