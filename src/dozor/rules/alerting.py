"""An alerting rule: which series does it hold for, with what value, which have recovered. A pure function of store and time.

What becomes of that (pending, firing, resolved) is the business of `alerts`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from dozor.errors import PromQLError
from dozor.model.alert import Severity
from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.rule import Breach, Escalation, Evaluation, Identity, Inhibitor, Measurement
from dozor.promql import Query, VectorSample, compile_query
from dozor.rules.directives import Directives
from dozor.rules.expression import Expression
from dozor.rules.template import Template, TemplateContext
from dozor.rules.template_functions import QueryResult
from dozor.rules.threshold import comparison_of, threshold_of
from dozor.store.interface import Queryable

COMPONENTS: Final = ("database", "redis", "system", "business")
DEFAULT_COMPONENT: Final = "business"
DEFAULT_SEVERITY: Final = Severity.WARNING

_SEVERITIES: Final[Mapping[str, Severity]] = {
    **{severity.value.lower(): severity for severity in Severity},
    # Words of rule files that were written for Prometheus, where the label is free text.
    "none": Severity.INFO,
    "notice": Severity.INFO,
    "warn": Severity.WARNING,
    "ticket": Severity.WARNING,
    "error": Severity.CRITICAL,
    "page": Severity.CRITICAL,
}
_MOST_IDENTITIES: Final = 20_000


# Said of most rules most of the time; where no alert is watched, nobody asks what is clear.
_NOTHING: Final = Evaluation({})


def parse_severity(text: str) -> Severity | None:
    """The severity that a rule's label names, None for an unknown one."""
    return _SEVERITIES.get(text.lower())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlertingRule:
    """A rule that has passed every check. Equal to no other, not even to its copy.

    Attributes:
        expr: the expression as written.
        keep_firing_seconds: how long the alert outlasts its condition (`keep_firing_for`).
        labels, annotations: without Dozor's own annotations.
        severity, component: from the labels, as far as those are not templates; the defaults otherwise.
        limit: how many series may hold at once before that counts as an error; 0: any number.
        offset_seconds: the group's `query_offset`.
        written: the annotations as they stand in the file, Dozor's own and all translations too.
        threshold: what the value is compared with, such as `> 90`; None where the expression does not tell.
        file, line: where the rule stands.
        external_url, external_labels: what its templates may say of the monitor itself.
    """

    name: str
    expr: str
    query: Expression
    for_seconds: float = 0.0
    keep_firing_seconds: float = 0.0
    labels: Mapping[str, Template]
    annotations: Mapping[str, Template]
    directives: Directives
    severity: Severity = DEFAULT_SEVERITY
    component: str = DEFAULT_COMPONENT
    group: str = ""
    limit: int = 0
    offset_seconds: float = 0.0
    written: tuple[tuple[str, str], ...] = ()
    threshold: str | None = None
    file: str | None = None
    line: int | None = None
    external_url: str = ""
    external_labels: Mapping[str, str] = field(default_factory=dict)
    _identities: dict[Labels, Identity] = field(default_factory=dict, init=False, repr=False)

    @property
    def clear_seconds(self) -> float:
        """For how long the end must hold before an alert ends."""
        return self.keep_firing_seconds if self.directives.resolve is None else self.directives.resolve_seconds

    @property
    def cooldown_seconds(self) -> float | None:
        """The rule's own cooldown; None: the default of the severity."""
        return self.directives.cooldown_seconds

    @property
    def escalation(self) -> Escalation | None:
        """When nobody acknowledges."""
        return self.directives.escalate

    @property
    def inhibited_by(self) -> tuple[Inhibitor, ...]:
        """Who keeps this rule's alerts quiet."""
        return self.directives.inhibited_by

    @property
    def fixed_labels(self) -> dict[str, str]:
        """The labels that every alert of this rule has; `severity` is none of an alert's labels."""
        return {name: label.text for name, label in self.labels.items() if label.static and name != "severity"}

    @property
    def definition(self) -> tuple[object, ...]:
        """All that is written of the rule, and where but for the line: equal for two readings of an unchanged rule."""
        about = (self.file, self.group, self.name, self.expr, self.for_seconds, self.keep_firing_seconds)
        return (*about, tuple(self.label_texts.items()), self.written, self.limit, self.offset_seconds)

    @property
    def label_texts(self) -> dict[str, str]:
        """The labels as written, `severity` among them."""
        return {name: label.text for name, label in self.labels.items()}

    @property
    def annotation_texts(self) -> dict[str, str]:
        """The annotations as written, without Dozor's own."""
        return {name: annotation.text for name, annotation in self.annotations.items()}

    def evaluate(self, store: Queryable, at: float, *, watched: bool) -> Evaluation:
        """What the rule says of *store* at *at*. Never raises `PromQLError`; see `Evaluation.error`.

        Args:
            store: where the series are.
            at: Unix seconds.
            watched: whether there is an alert of this rule whose end is waited for; without one the resolve condition
                is not looked at.
        """
        directives = self.directives
        moment = at - self.offset_seconds
        try:
            breaches = self._breaches(self.query.instant(store, moment), store, moment)
            if not breaches and not watched:
                return _NOTHING
            clear = worse = frozenset[Labels]()
            if watched and directives.resolve is not None:
                clear = self._matched(directives.resolve, store, moment)
            if (watched or breaches) and directives.escalate_when is not None:
                worse = self._matched(directives.escalate_when, store, moment)
        except PromQLError as error:
            return Evaluation({}, error=str(error))
        return Evaluation(breaches, None if directives.resolve is None else clear, worse)

    def measure(self, store: Queryable, at: float) -> Measurement:
        """What the rule looks at in *store* at *at*, whether or not its condition holds. Never raises `PromQLError`."""
        moment = at - self.offset_seconds
        comparison, resolve = comparison_of(self.expr), dict(self.written).get("dozor_resolve")
        try:
            measured = None if comparison is None else _compiled(comparison.measured.prettify())
            values = {
                self._identity(labels, value, store, moment).labels: value
                for labels, value in ([] if measured is None else measured.instant(store, moment))
            }
        except PromQLError as error:
            return Measurement(error=str(error))
        return Measurement(
            values=values,
            sign=None if comparison is None else comparison.sign,
            number=None if comparison is None else comparison.number,
            resolve=None if resolve is None else threshold_of(resolve),
            missing=tuple(sorted(name for name in self.query.metric_names() if _is_missing(name, store, moment))),
        )

    def describe(self, breach: Breach, store: Queryable, at: float) -> dict[str, str]:
        """The rule's annotations for the series of *breach*, expanded. Never raises."""
        context = self._context(breach.series, breach.value, store, at - self.offset_seconds)
        return {name: template.expand(context) for name, template in self.annotations.items()}

    def seen(self, alerts: Iterable[Labels], store: Queryable, at: float) -> set[Labels]:
        """Those of *alerts* for which a series that the rule's expression names is there at *at*."""
        moment = at - self.offset_seconds
        names = self.query.metric_names()
        if not names:
            return set(alerts)  # `hour() > 22` needs no series
        series = [sample.labels for name in names for sample in _metric(name, store, moment)]
        known = {name for labels in series for name in labels} - self.labels.keys()
        projections: dict[tuple[str, ...], set[Labels]] = {}
        seen: set[Labels] = set()
        for labels in alerts:
            # What the expression or the rule added (by label_replace, say) no series can have.
            common = tuple(name for name in labels if name in known)
            there = projections.get(common)
            if there is None:
                there = projections[common] = {each.only(common) for each in series}
            if labels.only(common) in there:
                seen.add(labels)
        return seen

    def _breaches(self, vector: list[VectorSample], store: Queryable, at: float) -> dict[Labels, Breach]:
        if not vector:
            return {}
        if self.limit and len(vector) > self.limit:
            raise PromQLError(f"the group allows {self.limit} alerts of one rule, and {len(vector)} series hold")
        breaches: dict[Labels, Breach] = {}
        for labels, value in vector:
            identity = self._identity(labels, value, store, at)
            breaches[identity.labels] = Breach(identity, labels, value)
        if len(breaches) != len(vector):
            raise PromQLError("several series have the same labels once the rule's own labels are applied")
        return breaches

    def _matched(self, query: Expression, store: Queryable, at: float) -> frozenset[Labels]:
        return frozenset(self._identity(labels, value, store, at).labels for labels, value in query.instant(store, at))

    def _identity(self, series: Labels, value: float, store: Queryable, at: float) -> Identity:
        found = self._identities.get(series)
        if found is not None:
            return found
        context = self._context(series, value, store, at)
        labels = {name: template.expand(context) for name, template in self.labels.items()}
        known = {**series, **labels, "alertname": self.name}
        known.pop(METRIC_NAME, None)
        severity_text = known.pop("severity", "")
        severity = parse_severity(severity_text) or DEFAULT_SEVERITY
        component = known.get("component", DEFAULT_COMPONENT)
        component = component if component in COMPONENTS else DEFAULT_COMPONENT
        identity = Identity(Labels(known), severity, component, severity_text)
        if all(template.static for template in self.labels.values()):
            if len(self._identities) >= _MOST_IDENTITIES:
                self._identities.clear()
            self._identities[series] = identity
        return identity

    def _context(self, series: Labels, value: float, store: Queryable, at: float) -> TemplateContext:
        return TemplateContext(series, value, at, _query_runner(store, at), self.external_url, self.external_labels)


def _metric(name: str, store: Queryable, at: float) -> list[VectorSample]:
    return _compiled(f'{{{METRIC_NAME}="{name}"}}').instant(store, at)


def _is_missing(name: str, store: Queryable, at: float) -> bool:
    """Whether there certainly is no such metric: of a server that does not say, that is not known."""
    try:
        return not _metric(name, store, at)
    except PromQLError:
        return False


def _query_runner(store: Queryable, at: float) -> Callable[[str], list[QueryResult]]:
    def run(expr: str) -> list[QueryResult]:
        return [QueryResult(labels, value) for labels, value in _compiled(expr).instant(store, at)]

    return run


@lru_cache(maxsize=1024)
def _compiled(expr: str) -> Query:
    return compile_query(expr)
