"""Flags that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The settings file. [default: dozor.toml, if there is one]"),
]
Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The Dozor to ask. [default: http://127.0.0.1:8002]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print Dozor's answer as it is.")]
By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who acts. [default: the name you are logged in by]")
]
Comment = Annotated[str | None, typer.Option("--comment", metavar="TEXT", help="Why; it is kept with the alert.")]
Match = Annotated[
    list[str] | None,
    typer.Option("--match", metavar="MATCHER", help="""Of these labels: 'pool="main"', 'severity=~"info|warning"'."""),
]
Severity = Annotated[
    str | None, typer.Option("--severity", metavar="SEVERITY", help="info, warning, critical or emergency.")
]
Rule = Annotated[str | None, typer.Option("--rule", metavar="NAME", help="Of this rule.")]
AlertId = Annotated[str, typer.Argument(metavar="ID", help="The alert's id, or its beginning.")]
