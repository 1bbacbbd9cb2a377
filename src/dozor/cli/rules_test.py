"""`dozor rules test`."""

import re
from collections.abc import Sequence
from pathlib import Path

import typer

from dozor.alerts import Lifecycle
from dozor.cli.output import print_json, printable, warn
from dozor.cli.rules_check import counted
from dozor.duration import format_duration
from dozor.errors import ConfigurationError
from dozor.rules.unittest import Failure, FileOutcome, run_test_file

_PASSED, _FAILED, _REFUSED = 0, 1, 2


def run_tests(files: Sequence[Path], only: Sequence[str], *, as_json: bool) -> int:
    """Run the tests in *files* whose name one of the expressions *only* is found in; return the exit status.

    Raises:
        ConfigurationError: one of *only* is no regular expression.
    """
    patterns = [_pattern(text) for text in only]
    outcomes = [run_test_file(path, Lifecycle, patterns) for path in files]
    if as_json:
        print_json({"passed": all(outcome.passed for outcome in outcomes), "files": list(map(_document, outcomes))})
    else:
        for outcome in outcomes:
            _print(outcome)
    if any(outcome.error for outcome in outcomes):
        return _REFUSED
    return _PASSED if all(outcome.passed for outcome in outcomes) else _FAILED


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigurationError(f"{text[:60]!r} is no regular expression: {error}", key="--run") from None


def _print(outcome: FileOutcome) -> None:
    for pattern in outcome.missing:
        warn(f"{outcome.file}: no rule file matches {pattern}")
    if outcome.error is not None:
        typer.echo(f"FAIL  {outcome.file}\n  {printable(outcome.error)}")
        return
    checks = sum(one.checks for one in outcome.outcomes)
    verdict = "ok  " if outcome.passed else "FAIL"
    typer.echo(f"{verdict}  {outcome.file}: {counted(len(outcome.outcomes), 'test')}, {counted(checks, 'check')}")
    for one in outcome.outcomes:
        if one.failures:
            typer.echo(f"  {printable(one.name)}")
        for failure in one.failures:
            line = f", line {failure.line}" if failure.line else ""
            typer.echo(f"    {printable(failure.what)} at {format_duration(failure.at)}{line}")
            for text in failure.lines:
                indent = len(text) - len(text.lstrip())
                typer.echo(" " * (6 + indent) + printable(text))


def _document(outcome: FileOutcome) -> dict[str, object]:
    return {
        "file": outcome.file,
        "passed": outcome.passed,
        "error": outcome.error,
        "unmatched_rule_files": list(outcome.missing),
        "tests": [
            {
                "name": one.name,
                "line": one.line,
                "passed": not one.failures,
                "checks": one.checks,
                "failures": list(map(_failure, one.failures)),
            }
            for one in outcome.outcomes
        ],
    }


def _failure(failure: Failure) -> dict[str, object]:
    return {"what": failure.what, "at_seconds": failure.at, "line": failure.line, "differences": list(failure.lines)}
