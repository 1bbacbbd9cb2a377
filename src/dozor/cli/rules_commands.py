"""`dozor rules check`, `test`, `backtest`: their flags."""

from pathlib import Path
from typing import Annotated

import typer

from dozor.cli.options import ConfigFile, Url

rules = typer.Typer(no_args_is_help=True, help="Rule files: look them over, test them, try them on what has been.")

_AsJson = Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")]


@rules.command(short_help="Look rule files over.")
def check(
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Rule files; they are taken together.")],
    strict: Annotated[bool, typer.Option("--strict", help="End with status 1 where there are warnings.")] = False,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="A live Dozor, to be asked which series there are.")
    ] = None,
    as_json: _AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Look rule files over: mistakes, with line and key, and what is probably not meant.

    Ends with 2 where Dozor would refuse a file, with 1 for warnings if --strict is given, else with 0.
    """
    from dozor.cli.rules_check import check as run  # noqa: PLC0415

    raise typer.Exit(run(files, {"url": url, "config": config_file}, strict=strict, as_json=as_json))


@rules.command("test", short_help="Run rule unit tests, in promtool's format.")
def run_tests(
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Test files; they name their rule files.")],
    run_only: Annotated[
        list[str] | None, typer.Option("--run", metavar="REGEX", help="Only tests in whose name this is found.")
    ] = None,
    as_json: _AsJson = False,
) -> None:
    """Run the unit tests of rules, in the format of `promtool test rules`.

    Ends with 0 where all is as expected, with 1 where something is not, with 2 where a file cannot be read.
    """
    from dozor.cli.rules_test import run_tests as run  # noqa: PLC0415

    raise typer.Exit(run(files, run_only or [], as_json=as_json))


@rules.command(short_help="What would rules have done, had they been in force?")
def backtest(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A rule file.")],
    since: Annotated[str, typer.Option(metavar="WHEN", help="From then on: 6h ago, or 2026-11-22T18:00:00Z.")] = "1h",
    rule: Annotated[
        list[str] | None, typer.Option("--rule", metavar="NAME", help="Of the file's rules, only this one.")
    ] = None,
    step: Annotated[str, typer.Option(metavar="DURATION", help="Evaluate so often.")] = "15s",
    url: Url = None,
    as_json: _AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Evaluate a rule file over the series of a live Dozor, as they were: how often, when and for how long would it have fired?"""
    from dozor.cli.rules_backtest import backtest as run  # noqa: PLC0415

    flags = {"url": url, "config": config_file}
    run(file, flags, since=since, names=rule or [], step=step, as_json=as_json)
