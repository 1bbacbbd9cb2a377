"""Prometheus rule files: text to checked rules. Every mistake is one `RuleError` with file, line and key.

Nothing is skipped or guessed: an unknown key is an error, since it is mostly a known one misspelt.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from dozor.errors import PromQLError, RuleError
from dozor.model.labels import METRIC_NAME
from dozor.promql import Query
from dozor.rules.alerting import COMPONENTS, DEFAULT_COMPONENT, DEFAULT_SEVERITY, AlertingRule, parse_severity
from dozor.rules.directives import PREFIX, DirectiveError, Directives, parse_directives, vector_query
from dozor.rules.fields import Field, Record
from dozor.rules.group import RuleGroup
from dozor.rules.recording import RecordingRule
from dozor.rules.template import Template, TemplateError
from dozor.rules.threshold import threshold_of
from dozor.rules.yaml_tree import YamlError, parse_yaml

_LARGEST_FILE: Final = 16 * 2**20
_FILE_KEYS: Final = ("groups",)
_GROUP_KEYS: Final = ("name", "interval", "query_offset", "limit", "labels", "rules")
_RULE_KEYS: Final = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")
_RECORD_NAME: Final = re.compile(r"[^\s{}\"\\]+")

Complain = Callable[[RuleError], None]


def load_rule_file(path: Path | str, complain: Complain | None = None) -> list[RuleGroup]:
    """The groups of the rule file at *path*.

    Where *complain* is given, a rule that is wrong is left out and told to it, so that all of them can be listed.

    Raises:
        RuleError: it cannot be read, or something in it is wrong.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise RuleError(f"cannot be read: {getattr(error, 'strerror', None) or error}", file=str(path)) from None
    if len(content) > _LARGEST_FILE:
        raise RuleError(f"larger than {_LARGEST_FILE // 2**20} MiB", file=str(path))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RuleError("not UTF-8 text", file=str(path), line=line) from None
    return parse_rules(text, str(path), complain)


def parse_rules(text: str, file: str | None = None, complain: Complain | None = None) -> list[RuleGroup]:
    """The groups of a rule file's *text*; *file* is the name that errors carry. *complain* as for `load_rule_file`.

    Raises:
        RuleError: something in it is wrong.
    """
    try:
        root = Field(parse_yaml(text), "", file)
    except YamlError as error:
        raise RuleError(str(error), file=file, line=error.line) from None
    if not root:
        return []
    groups: dict[str, RuleGroup] = {}
    for field in root.record(_FILE_KEYS)["groups"].items():
        group = _group(field.record(_GROUP_KEYS), complain)
        if group.name in groups:
            field.fail(f"a group named {group.name!r} stands above")
        groups[group.name] = group
    return list(groups.values())


class _Group(NamedTuple):
    """What a rule has from its group."""

    name: str
    limit: int
    offset_seconds: float
    labels: Mapping[str, Field]


def _group(record: Record, complain: Complain | None) -> RuleGroup:
    name = record["name"].text()
    if not name:
        record["name"].fail("a group needs a name")
    about = _Group(name, record["limit"].count(), record["query_offset"].seconds() or 0.0, record["labels"].mapping())
    interval = record["interval"].seconds() or None
    rules: list[AlertingRule | RecordingRule] = []
    for field in record["rules"].items():
        try:
            rules.append(_rule(field, about))
        except RuleError as error:
            if complain is None:
                raise
            complain(error)
    return RuleGroup(name, tuple(rules), interval, record.whole.file, about.limit)


def _rule(field: Field, group: _Group) -> AlertingRule | RecordingRule:
    record = field.record(_RULE_KEYS)
    if record["alert"].text() and record["record"].text():
        field.fail("a rule has either `alert` or `record`, not both")
    if record["record"].text():
        return _recording(record, group)
    return alerting_rule(field, group)


_NO_GROUP: Final = _Group("", 0, 0.0, {})


def alerting_rule(field: Field, group: _Group = _NO_GROUP) -> AlertingRule:
    """The alerting rule that *field* describes.

    Raises:
        RuleError: something in it is wrong.
    """
    record = field.record(_RULE_KEYS)
    name = record["alert"].text()
    if not name:
        field.fail("a rule needs a name, under `alert` or `record`")
    query = _expression(record)
    labels = _labels(record, group)
    annotations = record["annotations"].mapping()
    directives = _directives(name, annotations)
    keep_firing = record["keep_firing_for"].seconds() or 0.0
    if keep_firing and directives.resolve is not None:
        record["keep_firing_for"].fail("it contradicts dozor_resolve, which alone says when the alert ends")
    shown = {key: value for key, value in annotations.items() if not key.startswith(PREFIX)}
    return AlertingRule(
        name=name,
        expr=record["expr"].text(),
        query=query,
        for_seconds=record["for"].seconds() or 0.0,
        keep_firing_seconds=keep_firing,
        labels=_templates(labels),
        annotations=_templates(shown),
        directives=directives,
        severity=(parse_severity(labels["severity"].text()) if "severity" in labels else None) or DEFAULT_SEVERITY,
        component=_component(labels),
        group=group.name,
        limit=group.limit,
        offset_seconds=group.offset_seconds,
        written=tuple((key, value.text()) for key, value in annotations.items()),
        threshold=threshold_of(query.expr),
        file=field.file,
        line=field.line,
    )


def _recording(record: Record, group: _Group) -> RecordingRule:
    for key in ("for", "keep_firing_for", "annotations"):
        if record[key]:
            record[key].fail(f"`{key}` has no meaning in a recording rule")
    name = record["record"].text()
    if not _RECORD_NAME.fullmatch(name):
        record["record"].fail(f"{name[:60]!r} cannot name a series")
    labels = {**group.labels, **record["labels"].mapping()}
    return RecordingRule(
        name=name,
        expr=record["expr"].text(),
        query=_expression(record),
        labels={_label_name(label, field): field.text() for label, field in labels.items()},
        group=group.name,
        limit=group.limit,
        offset_seconds=group.offset_seconds,
        file=record.whole.file,
        line=record.whole.line,
    )


def _expression(record: Record) -> Query:
    return record["expr"].checked(vector_query, PromQLError)


def _labels(record: Record, group: _Group) -> dict[str, Field]:
    labels = {**group.labels, **record["labels"].mapping()}
    for name, field in labels.items():
        _label_name(name, field)
        text = field.text()
        if "{{" in text:
            continue  # known only when the alert fires; an unknown value is then the default
        if name == "severity" and parse_severity(text) is None:
            field.fail(f"unknown severity {text[:60]!r}; there are info, warning, critical, emergency")
        if name == "component" and text not in COMPONENTS:
            field.fail(f"unknown component {text[:60]!r}; there are {', '.join(COMPONENTS)}")
    return labels


def _label_name(name: str, field: Field) -> str:
    if not name or name == METRIC_NAME:
        field.fail(f"a rule cannot set the label {name!r}")
    return name


def _component(labels: Mapping[str, Field]) -> str:
    text = labels["component"].text() if "component" in labels else ""
    return text if text in COMPONENTS else DEFAULT_COMPONENT


def _templates(fields: Mapping[str, Field]) -> dict[str, Template]:
    return {name: field.checked(Template, TemplateError) for name, field in fields.items()}


def _directives(rule: str, annotations: Mapping[str, Field]) -> Directives:
    try:
        return parse_directives(rule, {name: field.text() for name, field in annotations.items()})
    except DirectiveError as error:
        annotations[error.name].fail(str(error))
