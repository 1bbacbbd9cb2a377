"""What a rule says of a store at a moment, and how it stands: records that pass from rules to alerts and on to people."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct, field

from dozor.model.alert import Alert, Severity
from dozor.model.labels import Labels


class Escalation(Struct, frozen=True):
    """An alert that nobody has acknowledged for *after_seconds* rises to *severity*."""

    after_seconds: float
    severity: Severity


class Inhibitor(Struct, frozen=True):
    """An alert of *rule* keeps quiet those whose *labels* are equal to its own; with no labels, all."""

    rule: str
    labels: tuple[str, ...]


class Identity(NamedTuple):
    """What an alert for one series is known by (*labels*, without `severity`), and what its labels say of it.

    *severity_text* is the label `severity` as the rule gives it; empty where it gives none.
    """

    labels: Labels
    severity: Severity
    component: str
    severity_text: str = ""


class Breach(NamedTuple):
    """A series for which a rule's condition holds."""

    identity: Identity
    series: Labels
    value: float


class Evaluation(Struct, frozen=True):
    """What one evaluation of one rule found.

    Attributes:
        breaches: by the identity's labels, where the condition holds.
        clear: identities whose resolve condition holds; None where the rule has none, so that whatever does not hold
            is clear.
        worse: identities that are to be an EMERGENCY.
        error: why the rule could not be evaluated; then all else is empty and says nothing.
    """

    breaches: Mapping[Labels, Breach]
    clear: frozenset[Labels] | None = None
    worse: frozenset[Labels] = frozenset()
    error: str | None = None


class Measurement(Struct, frozen=True):
    """What a rule looks at, whether or not its condition holds.

    Attributes:
        values: what is compared, by the labels that an alert for it would have; empty where the expression has no
            comparison with a number, or gives nothing.
        sign, number: what it is compared with; None where that cannot be told.
        resolve: the threshold of the resolve condition, such as `<= 80`, where there is one.
        missing: the metrics that the expression names and of which there is no series.
        error: why it could not be evaluated.
    """

    values: Mapping[Labels, float] = field(default_factory=dict)
    sign: str | None = None
    number: float | None = None
    resolve: str | None = None
    missing: tuple[str, ...] = ()
    error: str | None = None


class SeriesExplanation(Struct, frozen=True):
    """One series of a rule, and why it fires or does not.

    Attributes:
        labels: those of its alert.
        value: what is compared; None where that is not known now.
        exceeds: whether the comparison with the threshold holds; None where there is none to tell.
        distance: how far the value is from the threshold.
        state: `inactive`, `pending`, `firing`, or `closed` (by hand, and its condition may go on).
        alert: the open alert, if there is one.
        for_left_seconds: of a pending one, until it fires. clear_left_seconds: until one whose condition has ended ends.
        quiet_until: until when nobody would be told, since the last alert ended so lately. closed_until: until when what was
            closed by hand stays closed. Both in Unix seconds.
        why: all that in a sentence.
    """

    labels: Labels
    value: float | None
    exceeds: bool | None
    distance: float | None
    state: str
    alert: Alert | None
    for_left_seconds: float | None
    clear_left_seconds: float | None
    quiet_until: float | None
    closed_until: float | None
    why: str


class RuleExplanation(Struct, frozen=True):
    """Why a rule fires or does not. *series*: of its *total* ones the nearest to firing; *why*: of the rule as a whole."""

    state: "RuleState"
    why: str
    resolve: str | None
    missing: tuple[str, ...]
    series: tuple[SeriesExplanation, ...]
    total: int


class RuleChanges(Struct, frozen=True):
    """What reading the rules again has changed, by the names of rules; of those in force there are *rules*."""

    rules: int
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything has changed."""
        return bool(self.added or self.changed or self.removed)


class RuleState(Struct, frozen=True):
    """How a rule that raises alerts stands after its last evaluation. Durations are in seconds.

    Attributes:
        state: `inactive`, `pending` or `firing`, as Prometheus says it.
        health: `ok`, `err`, or `unknown` before the first evaluation.
        last_evaluation: Unix seconds.
        evaluation_seconds: how long it took.
        alerts: those that have not ended.
        keep_firing_seconds: how long an alert outlasts its condition (`keep_firing_for`).
        labels, annotations: as written, templates among them; `severity` is a label, Dozor's own annotations are left out.
        threshold: what the expression compares the value with, such as `> 90`; None where that cannot be told.
        file: the rule file; None for a rule written in Python.
    """

    rule: str
    group: str
    expr: str
    for_seconds: float
    severity: Severity
    component: str
    state: str
    health: str
    last_error: str | None
    last_evaluation: float | None
    evaluation_seconds: float | None
    alerts: tuple[Alert, ...]
    keep_firing_seconds: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    threshold: str | None = None
    file: str | None = None


class RecordingState(Struct, frozen=True):
    """How a recording rule stands after its last evaluation; the attributes are those of `RuleState`.

    *record* is the name of the series that it writes, *labels* are what it adds to them.
    """

    record: str
    group: str
    expr: str
    labels: Mapping[str, str]
    health: str
    last_error: str | None
    last_evaluation: float | None
    evaluation_seconds: float | None
    file: str | None = None


class GroupState(Struct, frozen=True):
    """A group of rules, in the order of evaluation.

    Attributes:
        file: where it is written; None for rules written in Python.
        interval_seconds: how often it is evaluated; None: as often as there are new samples.
        limit: how many alerts, or series, one rule may give; 0: any number.
        last_evaluation: Unix seconds; None before the first. evaluation_seconds: how long all its rules took.
    """

    name: str
    file: str | None
    interval_seconds: float | None
    limit: int
    last_evaluation: float | None
    evaluation_seconds: float | None
    rules: tuple[RuleState | RecordingState, ...]
