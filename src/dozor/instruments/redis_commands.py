"""What one server's commands cost, by command: calls, time, errors and percentiles, since its counters began and by window.

Read from `INFO commandstats`, `INFO latencystats` and `LATENCY HISTOGRAM`. Dozor's own calls are taken out.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from msgspec import Struct

from dozor.instruments.redis_info import InfoValue, pairs
from dozor.instruments.text import printable
from dozor.metrics.instruments import OTHER

COMMANDS: Final = 60
"""How many commands are told apart; the rest share the name `other`."""

WINDOWS: Final[Mapping[str, float]] = {"1m": 60.0, "5m": 300.0, "1h": 3600.0}

_COARSE_SECONDS: Final = 300.0
_FINE_KEPT, _COARSE_KEPT = 64, 14
_LATENCY_PREFIX: Final = "latency_percentiles_usec_"

Buckets = tuple[tuple[float, int], ...]
"""Upper bounds in microseconds, rising, each with the calls up to it."""


class Calls(NamedTuple):
    """What the counters of one command stand at. *rejected* and *failed* are None where the server does not count them."""

    calls: int
    seconds: float
    rejected: int | None = None
    failed: int | None = None
    buckets: Buckets = ()


class CommandCost(Struct, frozen=True):
    """One command over one window.

    Attributes:
        command: its name, with the subcommand where the server tells (`CONFIG GET`).
        calls: how often it was executed.
        seconds: the time that it took in all.
        errors: calls that were rejected or failed; None where the server does not count them.
        p50_seconds, p99_seconds: None where the server does not say. By window they are upper bounds of buckets, each twice
            as wide as the one before.
    """

    command: str
    calls: int
    seconds: float
    errors: int | None
    p50_seconds: float | None
    p99_seconds: float | None


class CommandWindow(Struct, frozen=True):
    """What was executed in *seconds* up to the last look. The costliest first."""

    seconds: float
    commands: tuple[CommandCost, ...]


def parse_calls(section: Mapping[str, InfoValue]) -> dict[str, Calls]:
    """`INFO commandstats`, by command as the server writes it (`get`, `config|get`)."""
    found = {}
    for key, value in section.items():
        said = pairs(value)
        calls, microseconds = _whole(said.get("calls")), _whole(said.get("usec"))
        if key.startswith("cmdstat_") and calls is not None and microseconds is not None:
            name = printable(key.removeprefix("cmdstat_"), 64)
            rejected, failed = _whole(said.get("rejected_calls")), _whole(said.get("failed_calls"))
            found[name] = Calls(calls, microseconds / 1e6, rejected, failed)
    return found


def parse_percentiles(section: Mapping[str, InfoValue]) -> dict[str, dict[str, float]]:
    """`INFO latencystats`: command to percentile (`50`, `99`, `99.9`) to microseconds."""
    found: dict[str, dict[str, float]] = {}
    for key, value in section.items():
        if key.startswith(_LATENCY_PREFIX):
            said = {name[1:]: _number(text) for name, text in pairs(value).items() if name.startswith("p")}
            name = printable(key.removeprefix(_LATENCY_PREFIX), 64)
            found[name] = {quantile: number for quantile, number in said.items() if number is not None}
    return found


def parse_histograms(answer: Any) -> dict[str, Buckets]:
    """The answer to `LATENCY HISTOGRAM`; what is none of one is passed over."""
    found: dict[str, Buckets] = {}
    if not isinstance(answer, list):
        return found
    for name, details in zip(answer[::2], answer[1::2], strict=False):
        match details:
            case [_, int(), _, list(flat)] if isinstance(name, bytes) and all(isinstance(each, int) for each in flat):
                buckets = tuple(zip(map(float, flat[::2]), flat[1::2], strict=False))
                found[printable(name.decode("utf-8", "backslashreplace"), 64)] = buckets
    return found


@dataclass(slots=True)
class _Snapshot:
    at: float
    commands: dict[str, Calls] = field(default_factory=dict)


class CommandStats:
    """Follows one server's commands from look to look. Not thread-safe, but for what is called so."""

    def __init__(self) -> None:
        self._kept: dict[str, None] = {}
        self._raw: Mapping[str, int] = {}
        self._own: Mapping[str, int] = {}
        self._own_before: Mapping[str, int] = {}
        self._last = _Snapshot(-math.inf)
        self._fine: deque[_Snapshot] = deque(maxlen=_FINE_KEPT)
        self._coarse: deque[_Snapshot] = deque(maxlen=_COARSE_KEPT)
        self._percentiles: Mapping[str, Mapping[str, float]] = {}
        self.folded = 0
        """Commands that share the name `other`."""
        self.windows: Mapping[str, CommandWindow] = {}
        """By name, `since_start` (the server's start or CONFIG RESETSTAT) among them. May be read in any thread."""

    @property
    def current(self) -> Mapping[str, Calls]:
        """What the counters stand at, by the server's name for the command."""
        return self._last.commands

    @property
    def percentiles(self) -> Mapping[str, Mapping[str, float]]:
        """Microseconds since the counters began, by command and percentile."""
        return self._percentiles

    def forget(self) -> None:
        """Another server answers, or the counters began anew."""
        self._last = _Snapshot(-math.inf)
        self._raw, self._own_before = {}, self._own
        self._fine.clear()
        self._coarse.clear()

    def update(
        self,
        at: float,
        calls: Mapping[str, Calls],
        *,
        uptime_seconds: float,
        histograms: Mapping[str, Buckets],
        percentiles: Mapping[str, Mapping[str, float]],
        own: Mapping[str, int],
    ) -> None:
        """Take in what the server, up for *uptime_seconds*, said *at* (monotonic seconds).

        *own* are Dozor's calls by the same names, since it began to ask.
        """
        if any(name not in calls or calls[name].calls < before for name, before in self._raw.items()):
            self.forget()
        self._raw, self._own = {name: one.calls for name, one in calls.items()}, dict(own)
        others = {name: self._others(name, one, histograms.get(name, ())) for name, one in calls.items()}
        now = _Snapshot(at, self._fold({name: one for name, one in others.items() if one.calls or one.rejected}))
        self._percentiles = {name: percentiles[name] for name in now.commands if name in percentiles}
        self._remember(now)
        self.windows = {"since_start": CommandWindow(uptime_seconds, self._since_start(now))} | {
            name: window for name, seconds in WINDOWS.items() if (window := self._window(now, seconds)) is not None
        }

    def _others(self, name: str, said: Calls, buckets: Buckets) -> Calls:
        """*said* without Dozor's own calls. Their time is taken to be as long as the others'."""
        before = self._last.commands.get(name)
        ours = min(self._own.get(name, 0) - self._own_before.get(name, 0), said.calls)
        calls = max(said.calls - ours, before.calls if before is not None else 0)
        if not ours:
            return said._replace(buckets=buckets)
        seconds = said.seconds * calls / said.calls
        return Calls(calls, max(seconds, before.seconds if before is not None else 0.0), said.rejected, said.failed)

    def _fold(self, calls: Mapping[str, Calls]) -> dict[str, Calls]:
        for name in sorted(calls, key=lambda each: -calls[each].calls):
            if len(self._kept) >= COMMANDS:
                break
            self._kept.setdefault(name)
        kept = {name: _unchanged(self._last.commands.get(name), calls[name]) for name in calls if name in self._kept}
        rest = [one for name, one in calls.items() if name not in self._kept]
        self.folded = len(rest)
        if rest:
            kept[OTHER] = Calls(
                sum(one.calls for one in rest),
                sum(one.seconds for one in rest),
                _sum(one.rejected for one in rest),
                _sum(one.failed for one in rest),
            )
        return kept

    def _remember(self, now: _Snapshot) -> None:
        self._last = now
        self._fine.append(now)
        if not self._coarse or now.at - self._coarse[-1].at >= _COARSE_SECONDS:
            self._coarse.append(now)

    def _window(self, now: _Snapshot, seconds: float) -> CommandWindow | None:
        """The look that lies nearest to *seconds* back against *now*; None where there is only one."""
        earlier = [one for one in (*self._coarse, *self._fine) if one.at < now.at]
        if not earlier:
            return None
        first = min(earlier, key=lambda one: abs(now.at - seconds - one.at))
        costs = [_between(name, first.commands.get(name), one) for name, one in now.commands.items()]
        return CommandWindow(now.at - first.at, _costliest(cost for cost in costs if cost.calls or cost.errors))

    def _since_start(self, now: _Snapshot) -> tuple[CommandCost, ...]:
        costs = []
        for name, one in now.commands.items():
            said = self._percentiles.get(name, {})
            p50, p99 = (said[key] / 1e6 if key in said else _quantile(one.buckets, share) for key, share in _QUANTILES)
            costs.append(CommandCost(_shown(name), one.calls, one.seconds, _errors(one), p50, p99))
        return _costliest(costs)


_QUANTILES: Final = (("50", 0.5), ("99", 0.99))


def _between(name: str, first: Calls | None, last: Calls) -> CommandCost:
    first = first if first is not None else Calls(0, 0.0, 0, 0)
    buckets = _difference(first.buckets, last.buckets)
    p50, p99 = (_quantile(buckets, share) for _, share in _QUANTILES)
    errors = _errors(last)
    return CommandCost(
        _shown(name),
        last.calls - first.calls,
        max(0.0, last.seconds - first.seconds),
        None if errors is None else max(0, errors - (_errors(first) or 0)),
        p50,
        p99,
    )


def _difference(first: Buckets, last: Buckets) -> Buckets:
    """The calls between two looks, by bucket. A bound that only the later look has stood at the count below it before."""
    differences, position, before = [], 0, 0
    for bound, count in last:
        while position < len(first) and first[position][0] <= bound:
            before = first[position][1]
            position += 1
        differences.append((bound, count - before))
    return tuple(differences)


def _quantile(buckets: Buckets, share: float) -> float | None:
    """The upper bound, in seconds, of the bucket in which *share* of the calls is reached."""
    total = buckets[-1][1] if buckets else 0
    if total <= 0:
        return None
    return next(bound for bound, count in buckets if count >= share * total) / 1e6


def _costliest(costs: Iterable[CommandCost]) -> tuple[CommandCost, ...]:
    return tuple(sorted(costs, key=lambda cost: (-cost.seconds, -cost.calls, cost.command)))


def _unchanged(before: Calls | None, now: Calls) -> Calls:
    # The same object where nothing has changed: what rarely runs then costs no memory in each snapshot.
    return before if before == now and before is not None else now


def _errors(one: Calls) -> int | None:
    return None if one.rejected is None or one.failed is None else one.rejected + one.failed


def _sum(values: Iterable[int | None]) -> int | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def _shown(name: str) -> str:
    return name if name == OTHER else name.replace("|", " ").upper()


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 20 else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
