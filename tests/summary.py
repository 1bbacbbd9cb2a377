"""A pytest plug-in: what was not run is said in the closing lines, with the count and the reason.

What a test records under "closing note" stands there too.

A skip is easy to overlook, and a suite that quietly lacks its browser or its promtool proves less than it seems to. With
`DOZOR_REQUIRE_PROMTOOL=1` a test that skips itself with a reason containing "promtool" fails instead; any other word may
stand there (`DOZOR_REQUIRE_BROWSER`, `DOZOR_REQUIRE_YARDSTICKS`), and `DOZOR_REQUIRE_ALL=1` allows no skip at all.
"""

import os
from collections import Counter
from collections.abc import Generator

import pytest

_PREFIX = "DOZOR_REQUIRE_"
_OFF = {"", "0", "false", "no", "off"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    reason = skip_reason(report)
    if reason is not None and (variable := _requiring(reason)) is not None:
        report.outcome = "failed"
        report.longrepr = f"not run, which {variable} does not allow: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "closing note":
                terminalreporter.write_sep("=", str(text))
    skipped = Counter(skip_reason(report) or "no reason given" for report in terminalreporter.getreports("skipped"))
    for reason, count in skipped.most_common():
        terminalreporter.write_sep("=", f"{count} {'TEST' if count == 1 else 'TESTS'} NOT RUN: {reason}", yellow=True)


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """Why the test of *report* was not run; None if it was (an expected failure was)."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return None
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def _requiring(reason: str) -> str | None:
    """The environment variable that does not let a test be skipped for *reason*."""
    for variable, value in sorted(os.environ.items()):
        word = variable.removeprefix(_PREFIX).replace("_", " ").lower()
        if variable.startswith(_PREFIX) and value.lower() not in _OFF and (word == "all" or word in reason.lower()):
            return variable
    return None
