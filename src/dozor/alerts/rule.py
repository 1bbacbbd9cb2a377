"""What the life of alerts asks of rules; `rules` satisfies it by shape."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from dozor.model.alert import Severity
from dozor.model.labels import Labels
from dozor.model.rule import Breach, Escalation, Evaluation, Inhibitor, Measurement
from dozor.store.interface import Appendable, Queryable


class Store(Queryable, Appendable, Protocol):
    """Where rules find series, and put those that they record."""


class AlertRule(Protocol):
    """A rule that raises alerts. Durations are in seconds."""

    @property
    def name(self) -> str:
        """The alert's name; several rules may share it."""

    @property
    def group(self) -> str:
        """The group it stands in."""

    @property
    def expr(self) -> str:
        """The expression as written."""

    @property
    def severity(self) -> Severity:
        """What its alerts rise with, unless their labels say otherwise."""

    @property
    def component(self) -> str:
        """What it is about."""

    @property
    def threshold(self) -> str | None:
        """What the expression compares the value with, such as `> 90`; None where that cannot be told."""

    @property
    def for_seconds(self) -> float:
        """How long the condition must hold."""

    @property
    def keep_firing_seconds(self) -> float:
        """How long an alert outlasts the condition (`keep_firing_for`)."""

    @property
    def clear_seconds(self) -> float:
        """How long the end must hold."""

    @property
    def cooldown_seconds(self) -> float | None:
        """None: the default of the severity."""

    @property
    def escalation(self) -> Escalation | None:
        """What happens when nobody acknowledges."""

    @property
    def inhibited_by(self) -> tuple[Inhibitor, ...]:
        """Who keeps its alerts quiet."""

    @property
    def fixed_labels(self) -> Mapping[str, str]:
        """The labels that all its alerts have."""

    @property
    def offset_seconds(self) -> float:
        """How far back it looks (the group's `query_offset`); its series are written as of then."""

    @property
    def definition(self) -> Hashable:
        """Equal for two readings of a rule that was not changed."""

    @property
    def label_texts(self) -> Mapping[str, str]:
        """The labels as written, `severity` among them."""

    @property
    def annotation_texts(self) -> Mapping[str, str]:
        """The annotations as written, without Dozor's own."""

    @property
    def file(self) -> str | None:
        """The rule file."""

    def evaluate(self, store: Queryable, at: float, *, watched: bool) -> Evaluation:
        """What it says of *store* at *at*; *watched*: whether there are alerts whose end matters."""

    def measure(self, store: Queryable, at: float) -> Measurement:
        """What it looks at, whether or not its condition holds."""

    def describe(self, breach: Breach, store: Queryable, at: float) -> dict[str, str]:
        """The annotations for *breach*."""

    def seen(self, alerts: Iterable[Labels], store: Queryable, at: float) -> set[Labels]:
        """Those of *alerts* whose series are there."""


@runtime_checkable
class RecordRule(Protocol):
    """A rule that records a series."""

    @property
    def name(self) -> str:
        """What the series is called."""

    @property
    def group(self) -> str:
        """The group it stands in."""

    @property
    def expr(self) -> str:
        """The expression as written."""

    @property
    def labels(self) -> Mapping[str, str]:
        """What it adds to the labels of the result."""

    @property
    def file(self) -> str | None:
        """The rule file."""

    @property
    def definition(self) -> Hashable:
        """Equal for two readings of a rule that was not changed."""

    def record(self, source: Queryable, into: Appendable, at: float) -> None:
        """Evaluate and append."""

    def end(self, into: Appendable, at: float) -> None:
        """It is no more: end its series."""


class RuleGroup(Protocol):
    """Rules evaluated in order."""

    @property
    def name(self) -> str:
        """No two groups of a file share it."""

    @property
    def file(self) -> str | None:
        """Where it is written."""

    @property
    def limit(self) -> int:
        """How many alerts, or series, one rule may give; 0: any number."""

    @property
    def interval_seconds(self) -> float | None:
        """How often; None: at each evaluation."""

    @property
    def rules(self) -> Sequence[AlertRule | RecordRule]:
        """In order."""


class Rules(Protocol):
    """All rules in force."""

    @property
    def groups(self) -> Sequence[RuleGroup]:
        """In order."""
