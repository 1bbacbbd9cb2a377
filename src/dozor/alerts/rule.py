"""What the life of alerts asks of rules; `rules` satisfies it by shape."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from dozor.model.alert import Severity
from dozor.model.labels import Labels
from dozor.model.rule import Breach, Escalation, Evaluation, Inhibitor
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

    def evaluate(self, store: Queryable, at: float, *, watched: bool) -> Evaluation:
        """What it says of *store* at *at*; *watched*: whether there are alerts whose end matters."""

    def describe(self, breach: Breach, store: Queryable, at: float) -> dict[str, str]:
        """The annotations for *breach*."""

    def seen(self, alerts: Iterable[Labels], store: Queryable, at: float) -> set[Labels]:
        """Those of *alerts* whose series are there."""


@runtime_checkable
class RecordRule(Protocol):
    """A rule that records a series."""

    def record(self, source: Queryable, into: Appendable, at: float) -> None:
        """Evaluate and append."""


class RuleGroup(Protocol):
    """Rules evaluated in order."""

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
