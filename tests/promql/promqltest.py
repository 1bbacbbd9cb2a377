"""Runs scripts in the notation of promqltest: `load`, `clear`, `eval`, `expect`.

python -m tests.promql.promqltest FOLDER    prints what passed of each script, and why the rest was left out
"""

import math
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dozor.errors import DozorError, PromQLError
from dozor.model.labels import METRIC_NAME, Labels
from dozor.promql import Dialect, Kind, Limits, Query, Result, compile_query
from dozor.promql.series import append_series, parse_series, parse_values
from dozor.store import MemoryStore, is_stale

_EVAL = re.compile(
    r"eval(?:_(fail|warn|ordered|info))?\s+(?:instant\s+at\s+(?P<at>\S+)"
    r"|range\s+from\s+(?P<start>\S+)\s+to\s+(?P<end>\S+)\s+step\s+(?P<step>\S+))\s+(?P<expr>.+)"
)
_EXPECT = re.compile(r"expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):\s*(.+))?")
_EXPECT_RANGE = re.compile(r"expect range vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)")
_DURATION = re.compile(r"(\d+)(ms|s|m|h|d|w|y)")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_POSITION = re.compile(r"\s*\\?\(\S+:\S+\\?\)$")
_OF_THE_QUERY = re.compile(r"\b(range|step|start|end)\s*\(")

DIALECT = Dialect(delayed_name_removal=True, experimental=True)
LIMITS = Limits(max_samples=50_000_000, timeout_seconds=100.0)


def seconds(text: str) -> float:
    """The duration *text* (`1h30m`, `-5`, `10`) in seconds."""
    sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sign * sum(int(number) * _UNITS[unit] for number, unit in parts)
    return sign * float(text)


@dataclass
class Evaluation:
    """One `eval` of a script."""

    line: int
    expr: str
    at: float | None = None
    span: tuple[float, float, float] | None = None
    expected: list[str] = field(default_factory=list)
    expectations: list[tuple[str, str | None, str]] = field(default_factory=list)
    points: tuple[float, float, float] | None = None
    text: str | None = None

    def expects(self, what: str) -> bool:
        return any(kind == what for kind, _, _ in self.expectations)


@dataclass
class Outcome:
    """How the evaluations of a script went."""

    passed: int = 0
    failures: list[str] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.passed + len(self.failures) + self.excluded.total()


class Script:
    """Runs one script, from the top."""

    def __init__(self, text: str, dialect: Dialect = DIALECT) -> None:
        self._lines = ["" if line.strip().startswith("#") else line.strip() for line in text.splitlines()]
        self._dialect = dialect
        self._at = 0
        self.outcome = Outcome()
        self._clear()

    def run(self) -> Outcome:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            command = line.split(None, 1)[0].lower() if line else ""
            if command.startswith("load"):
                self._load(line)
            elif command == "clear":
                self._clear()
                self._at += 1
            elif command.startswith("eval"):
                self._evaluate(self._read_evaluation())
            elif command:
                raise ValueError(f"line {self._at + 1}: unknown command {line!r}")
            else:
                self._at += 1
        return self.outcome

    def _clear(self) -> None:
        self._store = MemoryStore(max_bytes=2**30, max_series=10**6, retention_seconds=3.2e9)
        self._histograms: set[str] = set()
        self._start_times: set[str] = set()

    def _block(self) -> list[str]:
        begin = self._at = self._at + 1
        while self._at < len(self._lines) and self._lines[self._at]:
            self._at += 1
        return self._lines[begin : self._at]

    def _load(self, line: str) -> None:
        interval = seconds(line.split()[1])
        loaded = {}
        for row in self._block():
            metric = row.split("{")[0].split()[0]
            if "{{" in row:
                self._histograms.add(metric)
            elif re.match(r"\S+@st\s", row):
                self._start_times.add(metric.split("@")[0])
            else:
                one = parse_series(row)
                loaded[one.labels] = one
                if "nhcb" in line.split(maxsplit=1)[0]:
                    self._histograms.add(re.sub(r"_(bucket|sum|count)$", "", one.labels.get(METRIC_NAME)))
        append_series(self._store, loaded.values(), interval)

    def _read_evaluation(self) -> Evaluation:
        line = self._lines[self._at]
        match = _EVAL.fullmatch(line)
        if match is None:
            raise ValueError(f"line {self._at + 1}: malformed {line!r}")
        evaluation = Evaluation(self._at + 1, match["expr"])
        if match["at"]:
            evaluation.at = seconds(match["at"])
        else:
            evaluation.span = (seconds(match["start"]), seconds(match["end"]), seconds(match["step"]))
        if match[1]:
            evaluation.expectations.append((match[1], None, ""))
        for row in self._block():
            if ranges := _EXPECT_RANGE.fullmatch(row):
                evaluation.points = (seconds(ranges[1]), seconds(ranges[2]), seconds(ranges[3]))
            elif row.startswith("expect string"):
                evaluation.text = compile_query(row.removeprefix("expect string").strip()).evaluate(self._store, 0).text
            elif expect := _EXPECT.fullmatch(row):
                evaluation.expectations.append((expect[1], expect[2], expect[3] or ""))
            elif row.startswith("expected_fail_"):
                continue
            else:
                evaluation.expected.append(row)
        return evaluation

    def _exclusion(self, evaluation: Evaluation) -> str | None:
        expr = evaluation.expr
        notes = " ".join(text for _, _, text in evaluation.expectations)
        if any("{{" in row for row in evaluation.expected) or "histogram metric" in notes:
            return "native histograms"
        if any(re.search(rf"(?<![\w:]){re.escape(name)}(?![\w:])", expr) for name in self._histograms if name):
            return "native histograms"
        if self._histograms and re.search(r"__name__|(?<![\w:])\{(?!\})", expr):
            return "native histograms"
        if re.search(r"\bhistogram_(avg|count|sum|stddev|stdvar)\b|</|>/", expr):
            return "native histograms"
        if re.search(r"\b(anchored|smoothed)\b", expr):
            return "experimental range modifiers"
        if re.search(r"\binfo\s*\(", expr):
            return "experimental info()"
        if re.search(r"\[[^\]]*[-+*/%^(]|\boffset\s+[-+]?(\(|[a-zA-Z])", expr):
            return "duration expressions, which the parser does not know"
        if r"\xff" in expr:
            return "the parser takes an invalid byte for a character"
        if expr == "avg_over_time(metric11[1m])" and evaluation.expected == ["{} 0"]:
            return "upstream's result is lost to rounding, ours is exact"
        if "start_timestamp" in expr or any(name in expr for name in self._start_times):
            return "experimental start timestamps"
        return None

    def _evaluate(self, evaluation: Evaluation) -> None:
        reason = self._exclusion(evaluation)
        if reason is not None:
            self.outcome.excluded[reason] += 1
            return
        try:
            self._check(evaluation)
        except AssertionError as error:
            self.outcome.failures.append(f"line {evaluation.line}: {evaluation.expr}: {error}")
        else:
            self.outcome.passed += 1

    def _check(self, evaluation: Evaluation) -> None:
        failure = ""
        try:
            query = compile_query(evaluation.expr, dialect=self._dialect)
            result = self._result(query, evaluation)
        except PromQLError as error:
            failure = str(error)
        if failure:
            wanted = [entry for entry in evaluation.expectations if entry[0] == "fail"]
            assert wanted, f"failed: {failure}"
            for _, how, text in wanted:
                assert _mentions(failure, how, text), f"failed with {failure}, expected {text}"
            return
        assert not evaluation.expects("fail"), "did not fail"
        _check_notes(evaluation, "warn", result.warnings)
        _check_notes(evaluation, "info", result.infos)
        self._compare(evaluation, result)
        if evaluation.at is not None and evaluation.points is None and evaluation.text is None:
            self._check_as_range(query, evaluation)

    def _result(self, query: Query, evaluation: Evaluation) -> Result:
        if evaluation.at is not None:
            return query.evaluate(self._store, evaluation.at, limits=LIMITS)
        assert evaluation.span is not None
        return query.evaluate_range(self._store, *evaluation.span, limits=LIMITS)

    def _compare(self, evaluation: Evaluation, result: Result) -> None:
        if evaluation.text is not None:
            assert result.text == evaluation.text
            return
        span = evaluation.span or evaluation.points
        if span is not None:
            _same_matrix(evaluation, result, span)
        else:
            _same_vector(evaluation, [(sample.labels, sample.value) for sample in result.vector], result.kind)

    def _check_as_range(self, query: Query, evaluation: Evaluation) -> None:
        """An instant query's result is also that of the middle step of a range query."""
        if _OF_THE_QUERY.search(evaluation.expr) or evaluation.expects("ordered"):
            return
        at = evaluation.at
        assert at is not None
        try:
            series = query.range(self._store, at - 60, at + 60, 60, limits=LIMITS)
        except PromQLError as error:
            raise AssertionError(f"as a range: {error}") from None
        middle = [(labels, value) for labels, points in series for time, value in points if abs(time - at) < 0.0005]
        _same_vector(evaluation, middle, query.type, "as a range: ")


def _mentions(message: str, how: str | None, text: str) -> bool:
    if how is None:
        return True
    wanted = _POSITION.sub("", text.strip())
    return re.search(wanted, message) is not None if how == "regex" else wanted == message


def _check_notes(evaluation: Evaluation, kind: str, notes: tuple[str, ...]) -> None:
    if evaluation.expects(f"no_{kind}"):
        assert not notes, f"unexpected {kind}: {notes}"
    wanted = [(how, text) for what, how, text in evaluation.expectations if what == kind]
    for how, text in wanted:
        assert any(_mentions(note, how, text) for note in notes), f"expected {kind} {text!r}, got {notes}"


def _number(text: str) -> float | None:
    try:
        values = parse_values(text)
    except DozorError:
        return None
    return values[0] if len(values) == 1 else None


def _same_vector(evaluation: Evaluation, got: list[tuple[Labels, float]], kind: Kind, how: str = "") -> None:
    rows = evaluation.expected
    number = _number(rows[0]) if rows else None
    if number is not None:
        assert kind is Kind.SCALAR, f"{how}expected a number, got {got}"
        assert len(got) == 1, f"{how}expected {number}, got {got}"
        assert _close(got[0][1], number), f"{how}expected {number}, got {got[0][1]}"
        return
    wanted: list[tuple[Labels, float]] = []
    for row in rows:
        labels, values = parse_series(row)
        assert len(values) == 1
        assert values[0] is not None
        wanted.append((labels, values[0]))
    if evaluation.expects("ordered"):
        assert [labels for labels, _ in got] == [labels for labels, _ in wanted], f"{how}got {got}"
    found = dict(got)
    assert len(found) == len(got), f"{how}duplicates in {got}"
    assert found.keys() == dict(wanted).keys(), f"{how}expected {wanted}, got {got}"
    for labels, value in wanted:
        assert _close(found[labels], value), f"{how}expected {value} for {labels}, got {found[labels]}"


def _same_matrix(evaluation: Evaluation, result: Result, span: tuple[float, float, float]) -> None:
    start, _, step = span
    wanted = {}
    for row in evaluation.expected:
        number = _number(row)
        labels, values = (Labels(), parse_values(row)) if number is not None else parse_series(row)
        wanted[labels] = [(start + place * step, value) for place, value in enumerate(values) if value is not None]
    found = dict(result.matrix)
    assert found.keys() == wanted.keys(), f"expected {list(wanted)}, got {result.matrix}"
    for labels, points in wanted.items():
        assert len(found[labels]) == len(points), f"expected {points} for {labels}, got {found[labels]}"
        for (time, value), (other_time, other) in zip(found[labels], points, strict=True):
            assert abs(time - other_time) < 0.001, f"expected {points} for {labels}, got {found[labels]}"
            assert _close(value, other), f"expected {points} for {labels}, got {found[labels]}"


def _close(one: float, other: float) -> bool:
    if is_stale(one) or is_stale(other):
        return is_stale(one) and is_stale(other)
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other or math.isclose(one, other, rel_tol=2e-6, abs_tol=1e-300)


def run_file(path: Path, dialect: Dialect = DIALECT) -> Outcome:
    """The outcome of the script at *path*."""
    return Script(path.read_text(encoding="utf-8"), dialect).run()


def main(folder: Path) -> None:
    """Print how the scripts of *folder* went."""
    passed = total = 0
    for path in sorted(folder.glob("*.test")):
        outcome = run_file(path)
        passed, total = passed + outcome.passed, total + outcome.total
        left_out = ", ".join(f"{count} {reason}" for reason, count in outcome.excluded.most_common())
        print(f"{path.name:<28} {outcome.passed:5} of {outcome.total:5}   {left_out}")
        print(*(f"    FAILED {failure}" for failure in outcome.failures), sep="\n", end="\n" * bool(outcome.failures))
    print(f"{'all':<28} {passed:5} of {total:5}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
