"""The shapes of trials of rules. See `schemas` for how they are used."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from dozor.api.examples import NOW, example
from dozor.model.alert import Severity

_TEXT = """groups:
- name: mine
  rules:
  - alert: PoolHalfFull
    expr: db_pool_utilization > 50
    for: 1m
    labels: {severity: warning}
    annotations: {summary: "Pool {{ $labels.pool }} is half full"}
"""


class RulesText(BaseModel):
    """A rule file that is not in force."""

    model_config = example({"text": _TEXT}, extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=60_000, description="A Prometheus rule file, in YAML.")]


class BacktestRequest(RulesText):
    """A rule file, and how far back to try it."""

    model_config = example({"text": _TEXT, "since": "1h"}, extra="forbid")

    since: Annotated[str, Field(max_length=20, description="How far back: a duration from 1m to 7d.")] = "1h"


class FindingModel(BaseModel):
    """One thing that is wrong (`error`: Dozor would refuse the file) or probably not meant (`warning`)."""

    level: Literal["error", "warning"]
    message: str
    line: int | None
    key: str | None
    rule: str | None
    check: Annotated[str | None, Field(description="The kind of a warning, such as `unknown-metric`.")]


class RulesChecked(BaseModel):
    """What was found in a rule file."""

    model_config = example(
        {
            "rules": 1,
            "findings": [
                {
                    "level": "warning",
                    "message": "expr: `db_pool_utilization < 0` never holds",
                    "line": 4,
                    "key": None,
                    "rule": "PoolHalfFull",
                    "check": "unreachable",
                }
            ],
        }
    )

    rules: Annotated[int, Field(description="How many it has.")]
    findings: list[FindingModel]


class TrialAlertModel(BaseModel):
    """An alert that would have fired."""

    labels: dict[str, str]
    value: float | None
    fired_at: datetime
    resolved_at: Annotated[datetime | None, Field(description="Null: it would fire still.")]


class RuleOutcomeModel(BaseModel):
    """What one rule would have done."""

    rule: str
    expr: str
    severity: Severity
    fired: Annotated[int, Field(description="How many alerts would have fired.")]
    firing_seconds: Annotated[float, Field(description="For how long, each alert for itself.")]
    false_starts: Annotated[int, Field(description="How often it held, but not for long enough.")]
    messages: Annotated[int, Field(description="How many people would have got, ends and reminders included.")]
    alerts: Annotated[list[TrialAlertModel], Field(description="The last 50.")]


class BacktestAnswer(BaseModel):
    """What the rules of a file would have done."""

    model_config = example(
        {
            "since": NOW,
            "until": NOW,
            "step_seconds": 5.0,
            "rules": [
                {
                    "rule": "PoolHalfFull",
                    "expr": "db_pool_utilization > 50",
                    "severity": "WARNING",
                    "fired": 1,
                    "firing_seconds": 240.0,
                    "false_starts": 2,
                    "messages": 2,
                    "alerts": [{"labels": {"pool": "main"}, "value": 93.3, "fired_at": NOW, "resolved_at": NOW}],
                }
            ],
        }
    )

    since: datetime
    until: datetime
    step_seconds: float
    rules: list[RuleOutcomeModel]
