"""The shapes of requests, of alerts and of rules, as they stand in the OpenAPI document.

Models are built by the module of their noun and written without the fields that were not set, so that what is unknown is
absent. Times are datetimes in UTC. What is read of the watched things is in `reading_schemas`.
"""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from dozor.api.examples import ALERT, NOTE, NOW, TIMELINE, example
from dozor.model.alert import Severity

State = Literal["PENDING", "FIRING", "ACKNOWLEDGED", "SILENCED", "RESOLVED"]


def _rfc_3339(value: object, parse: ValidatorFunctionWrapHandler) -> datetime:
    # Pydantic alone would also take a number, in seconds or milliseconds as its size suggests.
    if isinstance(value, str) and ":" in value:
        try:
            moment: datetime = parse(value)
        except ValidationError:
            pass
        else:
            return moment
    raise ValueError("write a moment with its offset from UTC, such as 2026-11-22T19:00:00Z")


def said(text: str) -> str:
    """*text* without blanks around it. Raises ValueError where there is none."""
    if not text.strip():
        raise ValueError("write something")
    return text.strip()


# -- what is asked -------------------------------------------------------------------------------------------------

Moment = Annotated[AwareDatetime, WrapValidator(_rfc_3339)]
Who = Annotated[str | None, Field(max_length=200, description="Who does this, for the others to see.")]
Comment = Annotated[str | None, Field(max_length=4000, description="Why, for the others to see.")]


class ActionRequest(BaseModel):
    """Who acts, and why. Both may be left out."""

    model_config = example({"by": "anna", "comment": "Looking into it"}, extra="forbid")

    by: Who = None
    comment: Comment = None


class SilenceRequest(BaseModel):
    """For how long nobody is told: exactly one of `duration`, `until` and `until_resolved`."""

    model_config = example(
        {"duration": "1h30m", "by": "anna", "comment": "Known; the fix goes out at noon"}, extra="forbid"
    )

    duration: Annotated[
        str | None, Field(max_length=100, description="A Prometheus duration above 0: `90s`, `1h30m`, `2d`.")
    ] = None
    until: Annotated[Moment | None, Field(description="A moment in the future.")] = None
    until_resolved: Annotated[bool | None, Field(description="True: until the alert resolves.")] = None
    by: Who = None
    comment: Comment = None


class NoteRequest(BaseModel):
    """What is to be written down beside an alert, and by whom."""

    model_config = example({"text": "Raised max_connections to 200; watching", "by": "anna"}, extra="forbid")

    text: Annotated[str, Field(max_length=4000, description="The note."), AfterValidator(said)]
    by: Who = None


# -- alerts --------------------------------------------------------------------------------------------------------


class AcknowledgementModel(BaseModel):
    """Somebody owns the alert."""

    at: datetime
    by: str | None
    comment: str | None


class AlertSilenceModel(BaseModel):
    """Nobody is told, by the alert's own silence or by one that matches it. `until` null: until it resolves."""

    at: datetime
    until: datetime | None
    by: str | None
    comment: str | None


class AlertModel(BaseModel):
    """One occurrence of a rule that fires, fired, or (PENDING) may come to fire."""

    model_config = example(ALERT)

    id: str
    rule: str
    severity: Annotated[Severity, Field(description="The one in force, after any escalation.")]
    component: str
    state: State
    inhibited_by: Annotated[list[str], Field(description="Rules that keep this alert quiet now.")]
    silenced_by: Annotated[list[str], Field(description="Ids of the silences whose matchers silence it now.")]
    labels: dict[str, str]
    annotations: dict[str, str]
    value: Annotated[float | None, Field(description="What the expression last gave; null where that is no number.")]
    threshold: Annotated[str | None, Field(description="What the rule compares that with, where that can be told.")]
    active_at: Annotated[datetime, Field(description="Since when the condition holds.")]
    fired_at: datetime | None
    resolved_at: datetime | None
    resolve_reason: str | None
    acknowledged: AcknowledgementModel | None
    silenced: AlertSilenceModel | None
    flapping: Annotated[bool, Field(description="It fires and ends again and again; people hear less often of it.")]
    flaps: Annotated[int, Field(description="How often it has fired lately, while it flaps; else 0.")]
    no_data: Annotated[bool, Field(description="The series is gone while its target is still watched.")]
    evidence: Annotated[dict[str, Any], Field(description="What was seen when it fired: statements, holders.")]


class ActionAnswer(AlertModel):
    """The alert as it now is."""

    model_config = example({**ALERT, "state": "ACKNOWLEDGED", "durable": True})

    durable: Annotated[
        bool, Field(description="Committed; false: it holds in memory and is written when the store answers.")
    ]


class EventModel(BaseModel):
    """One thing that happened, and who did it; `by` null: Dozor itself, or somebody who gave no name."""

    at: datetime
    event: Annotated[str, Field(description="In words: `fired`, `acknowledged`, `note` … for people to read.")]
    by: str | None
    comment: str | None


class AlertAnswer(AlertModel):
    """One alert, with all that happened to it, oldest first."""

    model_config = example({**ALERT, "timeline": TIMELINE})

    timeline: Annotated[
        list[EventModel] | None, Field(description="null while the store, which alone knows it, does not answer.")
    ]


class NoteModel(BaseModel):
    """What somebody wrote down."""

    model_config = example(NOTE)

    at: datetime
    by: str | None
    text: str


class NoteAnswer(NoteModel):
    """The note as it was written down."""

    model_config = example({**NOTE, "durable": True})

    durable: Annotated[
        bool, Field(description="Committed; false: it holds in memory and is written when the store answers.")
    ]


class NoteList(BaseModel):
    """The notes of one alert, oldest first."""

    model_config = example({"notes": [NOTE]})

    notes: list[NoteModel]


class AlertList(BaseModel):
    """One page of alerts."""

    model_config = example({"alerts": [ALERT], "total": 1, "next_cursor": "MTAw"})

    alerts: list[AlertModel]
    total: Annotated[int, Field(description="How many there are on all pages.")]
    next_cursor: Annotated[str | None, Field(description="Pass it as `cursor` for the next page; null on the last.")]


class FacetValue(BaseModel):
    """A label's value, and how many alerts have it."""

    value: str
    count: int


class FacetModel(BaseModel):
    """One label. `filter=LABEL="VALUE"` asks for the alerts that have a value."""

    label: str
    values: Annotated[list[FacetValue], Field(description="The commonest first.")]
    others: Annotated[int, Field(description="How many further values there are.")]


class FacetsAnswer(BaseModel):
    """Which labels the alerts have: `alertname`, `severity` (the one in force), `component`, then those of most alerts."""

    model_config = example(
        {
            "total": 42,
            "counted": 42,
            "facets": [
                {
                    "label": "alertname",
                    "values": [{"value": "PoolUtilizationHigh", "count": 30}, {"value": "SlowQueries", "count": 9}],
                    "others": 2,
                },
                {
                    "label": "severity",
                    "values": [{"value": "critical", "count": 31}, {"value": "warning", "count": 11}],
                    "others": 0,
                },
            ],
        }
    )

    total: Annotated[int, Field(description="How many alerts the filter leaves.")]
    counted: Annotated[int, Field(description="How many of them, the newest, were looked at.")]
    facets: list[FacetModel]


class ActiveAlertList(AlertList):
    """One page of alerts, and when the rules were last evaluated or an alert acted on."""

    model_config = example(
        {"alerts": [ALERT], "total": 1, "next_cursor": "MTAw", "checked_at": NOW, "age_seconds": 0.4}
    )

    checked_at: datetime | None
    age_seconds: float | None


RULE_AS_WRITTEN: Final[dict[str, Any]] = {
    "keep_firing_seconds": 0.0,
    "threshold": "== 0",
    "labels": {"severity": "critical"},
    "annotations": {"summary": "{{ $labels.redis }} does not answer"},
    "file": "builtin/redis.yml",
}


class RuleModel(BaseModel):
    """A rule and how it stands."""

    rule: str
    group: str
    expr: str
    for_seconds: float
    severity: Severity
    component: str
    state: Annotated[str, Field(description="inactive, pending or firing.")]
    health: Annotated[str, Field(description="ok, err, or unknown before the first evaluation.")]
    last_error: str | None
    last_evaluation: datetime | None
    evaluation_seconds: float | None
    alerts: list[AlertModel]
    keep_firing_seconds: Annotated[float, Field(description="How long an alert outlasts its condition.")]
    threshold: Annotated[str | None, Field(description="What the value is compared with, where that can be told.")]
    labels: Annotated[dict[str, str], Field(description="As written, templates among them.")]
    annotations: Annotated[dict[str, str], Field(description="As written, without Dozor's own.")]
    file: Annotated[str | None, Field(description="The rule file; null for a rule in code.")]


class RuleList(BaseModel):
    """One page of rules."""

    model_config = example(
        {
            "rules": [
                {
                    "rule": "RedisDisconnected",
                    "group": "redis",
                    "expr": "redis_connected == 0",
                    "for_seconds": 15.0,
                    "severity": "CRITICAL",
                    "component": "redis",
                    "state": "inactive",
                    "health": "ok",
                    "last_error": None,
                    "last_evaluation": NOW,
                    "evaluation_seconds": 0.0001,
                    "alerts": [],
                    **RULE_AS_WRITTEN,
                }
            ],
            "total": 16,
            "next_cursor": "MTAw",
        }
    )

    rules: list[RuleModel]
    total: int
    next_cursor: str | None


class SeriesExplanationModel(BaseModel):
    """One series of a rule, and why it fires or does not."""

    labels: Annotated[dict[str, str], Field(description="Those of its alert.")]
    state: Annotated[
        str, Field(description="inactive, pending, firing, or closed (by hand, while its condition goes on).")
    ]
    why: Annotated[str, Field(description="All that follows, in a sentence.")]
    value: Annotated[float | None, Field(description="What is compared; null where it is not known now.")]
    exceeds: Annotated[bool | None, Field(description="Whether the comparison with the threshold holds.")]
    distance: Annotated[float | None, Field(description="How far the value is from the threshold.")]
    alert_id: str | None
    pending_since: Annotated[datetime | None, Field(description="Since when the condition holds.")]
    for_left_seconds: Annotated[float | None, Field(description="Of a pending one: until it fires.")]
    clear_left_seconds: Annotated[float | None, Field(description="Of one whose condition has ended: until it ends.")]
    inhibited_by: list[str]
    silenced_by: list[str]
    quiet_until: Annotated[datetime | None, Field(description="Nobody is told before: the last one ended so lately.")]
    closed_until: Annotated[datetime | None, Field(description="Closed by hand, it comes back then at the earliest.")]


class RuleExplanationModel(RuleModel):
    """A rule, and why it fires or does not."""

    why: Annotated[str, Field(description="Of the rule as a whole, in a sentence.")]
    resolve: Annotated[str | None, Field(description="The threshold at which an alert ends, if it has one of its own.")]
    missing: Annotated[list[str], Field(description="Metrics that the rule names and of which there is no series.")]
    series: Annotated[
        list[SeriesExplanationModel], Field(description="The 100 nearest to firing, those that fire first.")
    ]
    series_total: int


class RuleExplanations(BaseModel):
    """The rules of one name: mostly one."""

    model_config = example(
        {
            "rules": [
                {
                    "rule": "PoolUtilizationHigh",
                    "group": "pool",
                    "expr": "db_pool_utilization > 90",
                    "for_seconds": 60.0,
                    "severity": "CRITICAL",
                    "component": "database",
                    "state": "inactive",
                    "health": "ok",
                    "last_error": None,
                    "last_evaluation": NOW,
                    "evaluation_seconds": 0.0001,
                    "alerts": [],
                    **RULE_AS_WRITTEN,
                    "why": "its condition holds for no series",
                    "resolve": "<= 80",
                    "missing": [],
                    "series": [
                        {
                            "labels": {"alertname": "PoolUtilizationHigh", "pool": "default", "component": "database"},
                            "state": "inactive",
                            "why": "42 is not > 90: 48 away",
                            "value": 42.0,
                            "exceeds": False,
                            "distance": 48.0,
                            "alert_id": None,
                            "pending_since": None,
                            "for_left_seconds": None,
                            "clear_left_seconds": None,
                            "inhibited_by": [],
                            "silenced_by": [],
                            "quiet_until": None,
                            "closed_until": None,
                        }
                    ],
                    "series_total": 1,
                }
            ]
        }
    )

    rules: list[RuleExplanationModel]


class RulesReloaded(BaseModel):
    """What reading the rules again has changed."""

    model_config = example({"rules": 17, "added": ["CheckoutSlow"], "changed": [], "removed": []})

    rules: Annotated[int, Field(description="How many are in force.")]
    added: list[str]
    changed: list[str]
    removed: list[str]


class DayModel(BaseModel):
    """The alerts that fired on one day (UTC)."""

    day: date
    total: int
    by_severity: dict[str, int]


class NoisyRuleModel(BaseModel):
    """How much one rule has had to say."""

    rule: str
    count: Annotated[int, Field(description="How often it fired.")]
    firing_seconds: Annotated[float, Field(description="For how long altogether, until now where it still fires.")]
    mean_time_to_resolve_seconds: float | None


class AlertStatisticsModel(BaseModel):
    """What the history adds up to."""

    model_config = example(
        {
            "total": 42,
            "active": 1,
            "acknowledged": 17,
            "by_severity": {"CRITICAL": 12, "WARNING": 30},
            "by_rule": {"PoolUtilizationHigh": 12, "SlowQueries": 30},
            "by_day": [{"day": "2026-11-22", "total": 3, "by_severity": {"CRITICAL": 1, "WARNING": 2}}],
            "noisiest": [
                {
                    "rule": "SlowQueries",
                    "count": 30,
                    "firing_seconds": 18300.0,
                    "mean_time_to_resolve_seconds": 610.0,
                }
            ],
            "mean_time_to_acknowledge_seconds": 94.0,
            "mean_time_to_resolve_seconds": 610.5,
            "since": "2026-10-01T00:00:00Z",
        }
    )

    total: int
    active: Annotated[int, Field(description="How many fire now, since whenever.")]
    acknowledged: Annotated[int, Field(description="How many somebody has acknowledged.")]
    by_severity: dict[str, int]
    by_rule: dict[str, int]
    by_day: Annotated[list[DayModel], Field(description="The days on which any fired, oldest first.")]
    noisiest: Annotated[list[NoisyRuleModel], Field(description="The rules that fired most often, those first.")]
    mean_time_to_acknowledge_seconds: Annotated[
        float | None, Field(description="Until somebody took it on; what was taken back does not count.")
    ]
    mean_time_to_resolve_seconds: float | None
    since: datetime | None
