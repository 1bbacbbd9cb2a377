"""The files of rule unit tests, in promtool's format: text to checked records. Every mistake is a `RuleError`.

Times and durations are in seconds; a time is counted from the start of its test.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from glob import glob
from pathlib import Path
from typing import Final

from msgspec import Struct

from dozor.errors import PromQLError, RuleError
from dozor.model.labels import Labels
from dozor.promql.series import SeriesValues, parse_metric, parse_values
from dozor.rules.directives import PREFIX
from dozor.rules.fields import Field
from dozor.rules.yaml_tree import YamlError, parse_yaml

DEFAULT_INTERVAL_SECONDS: Final = 60.0

_LARGEST_FILE: Final = 16 * 2**20
_FILE_KEYS: Final = ("rule_files", "evaluation_interval", "group_eval_order", "tests", "fuzzy_compare")
_TEST_KEYS: Final = (
    "name", "interval", "input_series", "alert_rule_test", "promql_expr_test", "external_labels", "external_url",
    "start_timestamp",
)  # fmt: skip
_NATIVE: Final = "{{"
_TRUTH: Final = {"true": True, "false": False, "": False}


class ExpectedAlert(Struct, frozen=True):
    """An alert that must fire. *labels* without `alertname`; Dozor's own annotations count for nothing here."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class AlertTest(Struct, frozen=True):
    """Exactly the alerts *expected* of the rules named *alertname* fire at *at*."""

    alertname: str
    at: float
    expected: tuple[ExpectedAlert, ...]
    line: int | None


class ExpectedSample(Struct, frozen=True):
    """A sample that an expression must give. *histogram*: what is expected is a native one."""

    labels: Labels
    value: float
    histogram: bool = False


class ExprTest(Struct, frozen=True):
    """The expression gives exactly the samples *expected* at *at*."""

    expr: str
    at: float
    expected: tuple[ExpectedSample, ...]
    line: int | None


class Test(Struct, frozen=True):
    """Series, and what the rules and expressions must make of them.

    Attributes:
        series: the first sample of each at *start* (Unix seconds), the others *interval* apart.
        native_histograms: those of the series that are such, and have no values here.
        external_labels, external_url: what templates see as Prometheus' own.
    """

    __test__ = False

    name: str
    interval: float
    start: float
    series: tuple[SeriesValues, ...]
    native_histograms: tuple[str, ...]
    alert_tests: tuple[AlertTest, ...]
    expr_tests: tuple[ExprTest, ...]
    external_labels: Mapping[str, str]
    external_url: str
    line: int | None


class TestFile(Struct, frozen=True):
    """A whole file.

    Attributes:
        rule_files: those that exist, in the order of the patterns; missing: patterns that match none.
        group_order: the place of each group that has to be evaluated before or after others.
        fuzzy: numbers may differ by the last bit.
    """

    __test__ = False

    rule_files: tuple[Path, ...]
    missing: tuple[str, ...]
    evaluation_interval: float
    group_order: Mapping[str, int]
    fuzzy: bool
    tests: tuple[Test, ...]


def load_test_file(path: Path) -> TestFile:
    """The tests in the file at *path*.

    Raises:
        RuleError: it cannot be read, or something in it is wrong.
    """
    try:
        text = path.read_bytes()[: _LARGEST_FILE + 1].decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise RuleError(f"cannot be read: {getattr(error, 'strerror', None) or error}", file=str(path)) from None
    if len(text) > _LARGEST_FILE:
        raise RuleError(f"larger than {_LARGEST_FILE // 2**20} MiB", file=str(path))
    try:
        root = Field(parse_yaml(text), "", str(path))
    except YamlError as error:
        raise RuleError(str(error), file=str(path), line=error.line) from None
    record = root.record(_FILE_KEYS)
    interval = record["evaluation_interval"].seconds() or DEFAULT_INTERVAL_SECONDS
    order: dict[str, int] = {}
    for place, field in enumerate(record["group_eval_order"].items()):
        if field.text() in order:
            field.fail(f"the group {field.text()!r} stands twice")
        order[field.text()] = place
    found, missing = _files(path.parent, record["rule_files"])
    fuzzy = record["fuzzy_compare"]
    if fuzzy.text().lower() not in _TRUTH:
        fuzzy.fail("expected true or false")
    tests = tuple(_test(field, interval) for field in record["tests"].items())
    return TestFile(found, missing, interval, order, _TRUTH[fuzzy.text().lower()], tests)


def _files(folder: Path, patterns: Field) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    found: list[Path] = []
    missing: list[str] = []
    for field in patterns.items():
        pattern = str(folder / field.text())
        paths = sorted(glob(pattern))  # noqa: PTH207 - a Path globs below itself only, and the pattern may be absolute
        found.extend(map(Path, paths))
        if not paths:
            missing.append(field.text())
    return tuple(found), tuple(missing)


def _test(field: Field, evaluation_interval: float) -> Test:
    record = field.record(_TEST_KEYS)
    return Test(
        name=record["name"].text(),
        interval=record["interval"].seconds() or evaluation_interval,
        start=_start(record["start_timestamp"]),
        native_histograms=tuple(_native(record["input_series"])),
        series=tuple(_series(one) for one in record["input_series"].items()),
        alert_tests=tuple(_alert_test(one) for one in record["alert_rule_test"].items()),
        expr_tests=tuple(_expr_test(one) for one in record["promql_expr_test"].items()),
        external_labels=_texts(record["external_labels"]),
        external_url=record["external_url"].text(),
        line=field.line,
    )


def _start(field: Field) -> float:
    text = field.text()
    if not text:
        return 0.0
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        field.fail(f"{text[:60]!r} is neither Unix seconds nor a time such as 2026-11-22T18:00:00Z")
    return moment.timestamp()


def _series(field: Field) -> SeriesValues:
    record = field.record(("series", "values"))
    labels = record["series"].checked(parse_metric, PromQLError)
    if _NATIVE in record["values"].text():
        return SeriesValues(labels, [])
    return SeriesValues(labels, record["values"].checked(parse_values, PromQLError))


def _native(field: Field) -> Iterator[str]:
    for one in field.items():
        record = one.record(("series", "values"))
        if _NATIVE in record["values"].text():
            yield record["series"].text()


def _alert_test(field: Field) -> AlertTest:
    record = field.record(("eval_time", "alertname", "exp_alerts"))
    if not record["alertname"].text():
        record["alertname"].fail("a test of an alert needs the alert's name")
    expected = tuple(_expected_alerts(record["exp_alerts"]))
    return AlertTest(record["alertname"].text(), record["eval_time"].seconds() or 0.0, expected, field.line)


def _expected_alerts(field: Field) -> Iterator[ExpectedAlert]:
    for one in field.items():
        record = one.record(("exp_labels", "exp_annotations"))
        annotations = _texts(record["exp_annotations"])
        shown = {name: text for name, text in annotations.items() if not name.startswith(PREFIX)}
        yield ExpectedAlert(_texts(record["exp_labels"]), shown)


def _expr_test(field: Field) -> ExprTest:
    record = field.record(("expr", "eval_time", "exp_samples"))
    expected = tuple(_expected_sample(one) for one in record["exp_samples"].items())
    return ExprTest(record["expr"].text(), record["eval_time"].seconds() or 0.0, expected, field.line)


def _expected_sample(field: Field) -> ExpectedSample:
    record = field.record(("labels", "value", "histogram"))
    labels = record["labels"].checked(_metric, PromQLError)
    return ExpectedSample(labels, record["value"].checked(_number, ValueError), bool(record["histogram"].text()))


def _metric(text: str) -> Labels:
    return parse_metric(text.strip()) if text.strip() else Labels()


def _number(text: str) -> float:
    if not text:
        return 0.0
    try:
        return float(text)
    except ValueError:
        # YAML's own spellings, .inf and .nan.
        return float(text.lower().replace(".", "", 1))


def _texts(field: Field) -> dict[str, str]:
    return {name: value.text() for name, value in field.mapping().items()}
