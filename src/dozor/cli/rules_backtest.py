"""`dozor rules backtest`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from dozor.alerts import Lifecycle
from dozor.cli.client import Client
from dozor.cli.moments import ago, duration
from dozor.cli.output import moment, print_json, print_table, say, seconds, warn, zone
from dozor.cli.rules_live import LiveSeries
from dozor.duration import format_duration, parse_duration
from dozor.errors import ConfigurationError
from dozor.model.alert import Alert
from dozor.rules.backtest import MOST_STEPS, RuleOutcome, Span, choose, mentioned, recorded_names
from dozor.rules.backtest import backtest as play
from dozor.rules.group import RuleGroup
from dozor.rules.rulefile import load_rule_file
from dozor.settings import Settings

_SHOWN: Final = 50
"""So many alerts are listed, the last ones; --json lists all."""


def backtest(
    file: Path, flags: Mapping[str, object], *, since: str, names: Sequence[str], step: str, as_json: bool
) -> None:
    """Print what the rules *names* (none: all) of *file* would have done.

    Raises:
        ConfigurationError: the file, the time, the step or a name is wrong.
        CommandFailed: Dozor does not answer, or cannot evaluate an expression.
    """
    span = _span(since, step, datetime.now().astimezone())
    groups = load_rule_file(file)
    chosen = _chosen(groups, names, file)
    settings, series = Settings.load(flags=flags), LiveSeries(Client.connect(flags))
    known = series.names()
    make_life = partial(
        Lifecycle,
        cooldowns=settings.cooldowns,
        group_interval_seconds=settings.group_interval_seconds,
        reminder_interval_seconds=settings.reminder_interval_seconds,
    )
    outcomes = play(chosen, span, series, make_life)
    begin = _first_data(chosen, span, series, known)
    notes = list(_notes(outcomes, recorded_names(groups), known))
    if as_json:
        print_json(_document(outcomes, span, begin, notes))
        return
    _print(outcomes, span, begin)
    for note in notes:
        warn(note)


def _span(since: str, step: str, now: datetime) -> Span:
    size = parse_duration(duration(step, key="--step"))
    start = ago(since, now, key="--since").timestamp()
    # On whole steps, so that a second look at the same time finds the same.
    first, last = -(-start // size) * size, now.timestamp() // size * size
    if first > last:
        raise ConfigurationError("it must lie a step or more in the past", key="--since")
    count = (last - first) / size + 1
    if count > MOST_STEPS:
        raise ConfigurationError(
            f"{count:.0f} evaluations of each rule are too many; a longer step, or a later --since, needs fewer",
            key="--step",
        )
    return Span(first, last, size)


def _chosen(groups: Sequence[RuleGroup], names: Sequence[str], file: Path) -> tuple[RuleGroup, ...]:
    there = [rule.name for group in groups for rule in group.alerting]
    for name in names:
        if name not in there:
            raise ConfigurationError(f"{file} has no rule {name!r}; it has {', '.join(there) or 'none'}", key="--rule")
    if not there:
        raise ConfigurationError(f"{file} has no rule that alerts")
    return choose(groups, names)


def _first_data(chosen: Iterable[RuleGroup], span: Span, series: LiveSeries, known: frozenset[str]) -> float | None:
    """From when on there is something to look at, to a hundredth of the span; None: there never is."""
    names = sorted({name for group in chosen for rule in group.alerting for name in mentioned(rule)} & known)
    if not names:
        return None
    step = max(span.step, (span.end - span.start) / 100)
    begun = [
        points[0][0] for name in names for _, points in series.evaluate(_count_of(name), span.start, span.end, step)
    ]
    return min(begun, default=None)


def _count_of(name: str) -> str:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'count({{__name__="{quoted}"}})'


def _notes(outcomes: Iterable[RuleOutcome], recorded: set[str], known: frozenset[str]) -> Iterator[str]:
    for outcome in outcomes:
        missing = sorted(mentioned(outcome.rule) - known)
        own = [name for name in missing if name in recorded]
        others = [name for name in missing if name not in recorded]
        if own:
            yield (
                f"{outcome.rule.name} reads {', '.join(own)}, which the file records: there are no such series before it is "
                "in force, so nothing was found"
            )
        if others:
            yield f"{outcome.rule.name} reads {', '.join(others)}, and Dozor has no such series"


def _print(outcomes: Sequence[RuleOutcome], span: Span, begin: float | None) -> None:
    looked = f"{moment(_text(span.start))} to {moment(_text(span.end))} ({zone()}), every {format_duration(span.step)}"
    say(f"From {looked}:")
    if begin is None:
        say("There are no samples to look at.")
    elif begin - span.start > 2 * max(span.step, (span.end - span.start) / 100):
        say(f"There are no samples before {moment(_text(begin))}.")
    print_table(
        ["rule", "severity", "would have fired", "for", "false starts", "messages"],
        [
            [
                outcome.rule.name,
                outcome.rule.severity.value,
                _times(len(outcome.fired)),
                seconds(outcome.firing_seconds(span.end)) if outcome.fired else "-",
                str(outcome.false_starts),
                str(outcome.messages),
            ]
            for outcome in outcomes
        ],
    )
    fired = sorted(
        ((outcome, alert) for outcome in outcomes for alert in outcome.fired), key=lambda pair: pair[1].fired_at or 0.0
    )
    if not fired:
        return
    say("")
    print_table(
        ["fired", "for", "severity", "rule", "where", "value"], [_row(alert, span) for _, alert in fired[-_SHOWN:]]
    )
    if len(fired) > _SHOWN:
        say(f"… and {len(fired) - _SHOWN} before these; --json lists all.")


def _row(alert: Alert, span: Span) -> list[str]:
    end = alert.resolved_at
    lasted = seconds((span.end if end is None else end) - (alert.fired_at or span.end))
    where = ", ".join(f"{name}={text}" for name, text in alert.labels.pairs if name not in {"alertname", "component"})
    return [
        moment(_text(alert.fired_at)),
        f"{lasted}, fires still" if end is None else lasted,
        alert.severity.value,
        alert.rule,
        where or "-",
        f"{alert.value:.6g}" + (f" ({alert.threshold})" if alert.threshold else ""),
    ]


def _times(count: int) -> str:
    return "never" if count == 0 else "once" if count == 1 else f"{count} times"


def _text(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def _document(
    outcomes: Iterable[RuleOutcome], span: Span, begin: float | None, notes: Sequence[str]
) -> dict[str, object]:
    return {
        "since": _text(span.start),
        "until": _text(span.end),
        "step_seconds": span.step,
        "data_since": _text(begin),
        "rules": [
            {
                "rule": outcome.rule.name,
                "group": outcome.rule.group,
                "expr": outcome.rule.expr,
                "for_seconds": outcome.rule.for_seconds,
                "severity": outcome.rule.severity.value,
                "fired": len(outcome.fired),
                "firing_seconds": outcome.firing_seconds(span.end),
                "false_starts": outcome.false_starts,
                "messages": outcome.messages,
                "alerts": list(map(_alert, outcome.fired)),
            }
            for outcome in outcomes
        ],
        "notes": list(notes),
    }


def _alert(alert: Alert) -> dict[str, object]:
    return {
        "labels": dict(alert.labels),
        "severity": alert.severity.value,
        "value": alert.value,
        "active_at": _text(alert.active_at),
        "fired_at": _text(alert.fired_at),
        "resolved_at": _text(alert.resolved_at),
        "inhibited_by": list(alert.inhibited_by),
        "flapping": alert.flaps > 0,
    }
