"""What a catalogue of texts holds. Each field is a phrase; a language that lacks one does not pass the type check.

Names in braces are filled in by `str.format`; they are the same in every language.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from msgspec import Struct

from dozor.model.alert import AlertState, Severity
from dozor.model.notification import Occasion


class Headings(NamedTuple):
    """The words that a channel puts around the parts of a message.

    Attributes:
        advice: before what to do first; evidence: before what was seen; runbook: before its address.
        open: on a link or button that leads to the alert.
        acknowledge, silence: on buttons; *silence* is for an hour.
    """

    advice: str
    evidence: str
    runbook: str
    open: str
    acknowledge: str
    silence: str


class Facts(NamedTuple):
    """The labels of an alert's facts."""

    severity: str
    since: str
    resolved: str
    value: str
    where: str
    acknowledged: str
    silenced: str
    flapping: str
    note: str


class Evidence(NamedTuple):
    """Lines of evidence."""

    holder: str
    holder_leaked: str
    statement: str
    slow_query: str
    failed: str
    called_from: str
    usually_from: str
    stall: str
    slow_command: str
    client: str
    route: str
    route_errors: str


class Units(NamedTuple):
    """How figures are written. *bytes* and *durations* from the smallest unit to the largest."""

    decimal: str
    thousands: str
    bytes: tuple[str, ...]
    milliseconds: str
    durations: tuple[str, str, str, str]
    infinite: str
    nothing: str


class Texts(Struct, frozen=True, kw_only=True):
    """One language.

    Attributes:
        plural: which of a phrase's forms goes with a number.
        alerts: `3 alerts`, one phrase for each form.
        occasions: why people are told now, said of a rule.
        reasons: why alerts ended, by what Dozor itself writes.
    """

    language: str
    plural: Callable[[int], int]
    severities: Mapping[Severity, str]
    states: Mapping[AlertState, str]
    occasions: Mapping[Occasion, str]
    resolved_mark: str
    headings: Headings
    facts: Facts
    evidence: Evidence
    units: Units
    reasons: Mapping[str, str]
    title: str
    title_of_many: str
    alerts: tuple[str, ...]
    more: tuple[str, ...]
    no_summary: str
    moment: str
    lasting: str
    ended: str
    ended_because: str
    limit: str
    equality: str
    by: str
    somebody: str
    commented: str
    until: str
    until_resolved: str
    by_silence: str
    flapping: tuple[str, ...]
    no_data: str

    def counted(self, forms: tuple[str, ...], count: int) -> str:
        """The one of *forms* that goes with *count*, filled in."""
        return forms[self.plural(count)].format(count=count)
