"""Routes and inhibition rules, as they are written: lists of tables whose matchers are text."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from dozor.alerts.inhibition import InhibitRule
from dozor.notify.routing import Route
from dozor.settings import values
from dozor.settings.values import PartsError
from dozor.store.matchers import Matcher, parse_matcher

T = TypeVar("T")


def parse_routes(value: object) -> tuple[Route, ...]:
    """A list of `{match = [MATCHER, …], to = [CHANNEL, …], continue = false}`, or that as JSON, or of `Route`.

    Raises:
        PartsError: what is wrong, by number and key: `1.match`.
    """
    return _listed(value, Route, _route, "[[routes]]")


def parse_inhibit_rules(value: object) -> tuple[InhibitRule, ...]:
    """A list of `{source = [MATCHER, …], target = [MATCHER, …], equal = [LABEL, …]}`, or that as JSON, or of `InhibitRule`.

    Raises:
        PartsError: what is wrong, by number and key: `1.source`.
    """
    return _listed(value, InhibitRule, _inhibit_rule, "[[inhibit]]")


def shown_route(route: Route) -> str:
    """*route* in one line."""
    onward = ", continue" if route.continue_ else ""
    return f"{{{_shown(route.matchers)}}} -> {' '.join(route.to)}{onward}"


def shown_inhibit_rule(rule: InhibitRule) -> str:
    """*rule* in one line."""
    equal = f" where {' '.join(rule.equal)} equal" if rule.equal else ""
    return f"{{{_shown(rule.source)}}} keeps {{{_shown(rule.target)}}} quiet{equal}"


def _shown(matchers: Iterable[Matcher]) -> str:
    return ", ".join(map(str, matchers))


def _listed(value: object, kind: type[T], make: Callable[["_Table"], T], header: str) -> tuple[T, ...]:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            raise ValueError(f"this is not JSON; in a file, write tables: {header}") from None
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"this must be a list of tables: {header}")  # noqa: TRY004 - said by ValueError only
    made: list[T] = []
    mistakes: dict[str, str] = {}
    for number, one in enumerate(value, 1):
        if isinstance(one, kind):
            made.append(one)
            continue
        table = _Table(number, one)
        built = make(table)
        mistakes |= table.mistakes
        made.append(built)
    if mistakes:
        raise PartsError(mistakes)
    return tuple(made)


def _route(table: "_Table") -> Route:
    known = Route(
        matchers=table.take("match", _matchers, default=()),
        to=table.take("to", _names),
        continue_=table.take("continue", values.switch, default=False),
    )
    table.end()
    return known


def _inhibit_rule(table: "_Table") -> InhibitRule:
    rule = InhibitRule(
        source=table.take("source", _some_matchers),
        target=table.take("target", _some_matchers),
        equal=table.take("equal", _texts, default=()),
    )
    table.end()
    return rule


class _Table:
    """One table, taken apart key by key; collects what is wrong with it."""

    def __init__(self, number: int, given: object) -> None:
        self.mistakes: dict[str, str] = {}
        self._number = number
        self._rest: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {}
        self._is_table = isinstance(given, Mapping)
        if not self._is_table:
            self.mistakes[str(number)] = "this must be a table"

    def take(self, key: str, read: Callable[[object], Any], *, default: object = None) -> Any:
        """The value of *key*; *default* where it is missing, and a mistake where there is none."""
        value = self._rest.pop(key, None)
        if value is None:
            if default is None and self._is_table:
                self.mistakes[f"{self._number}.{key}"] = f"{key} is missing"
            return () if default is None else default
        try:
            return read(value)
        except ValueError as error:
            self.mistakes[f"{self._number}.{key}"] = str(error)
            return () if default is None else default

    def end(self) -> None:
        """What is left has no meaning."""
        for key in self._rest:
            self.mistakes[f"{self._number}.{key}"] = "there is no such key"


def _matchers(value: object) -> tuple[Matcher, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)) or not all(isinstance(one, (str, Matcher)) for one in listed):
        raise ValueError("""this must be a list of matchers: ['severity="critical"', 'pool=~"main|jobs"']""")
    return tuple(one if isinstance(one, Matcher) else parse_matcher(one) for one in listed)


def _some_matchers(value: object) -> tuple[Matcher, ...]:
    found = _matchers(value)
    if all(matcher.matches_empty for matcher in found):
        raise ValueError("at least one matcher must ask for a value; else every alert would pass")
    return found


def _names(value: object) -> tuple[str, ...]:
    found = _texts(value)
    if not found:
        raise ValueError("name at least one channel")
    return found


def _texts(value: object) -> tuple[str, ...]:
    return tuple(values.items(value))
