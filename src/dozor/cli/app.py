"""The commands and their flags. Each imports what it needs when it runs, so that `dozor version` is quick."""

from typing import Annotated

import typer

from dozor.cli import alert_commands, print_version, silence_commands
from dozor.cli.notify_commands import notify
from dozor.cli.options import AsJson, By, ConfigFile, Url
from dozor.cli.rules_commands import rules

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # `main` says what went wrong, in a line
    rich_markup_mode=None,
    help="Monitoring for Python web backends.",
)
config = typer.Typer(no_args_is_help=True, help="What is set, and where.")
db = typer.Typer(no_args_is_help=True, help="Where alerts and their history are kept.")


@app.command(short_help="Watch servers from outside, with API and page.")
def serve(
    *,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="The address to listen at. [default: 127.0.0.1]")
    ] = None,
    port: Annotated[str | None, typer.Option(metavar="PORT", help="The port to listen at. [default: 8002]")] = None,
    database_url: Annotated[
        list[str] | None, typer.Option(metavar="[NAME=]URL", help="A PostgreSQL, PgBouncer or SQLite to watch.")
    ] = None,
    redis_url: Annotated[
        list[str] | None, typer.Option(metavar="[NAME=]URL", help="A Redis or Valkey server to watch.")
    ] = None,
    scrape: Annotated[
        list[str] | None, typer.Option(metavar="[NAME=]URL", help="A /metrics page to read, as Prometheus would.")
    ] = None,
    rules: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="A Prometheus rule file, beside the default rules.")
    ] = None,
    store_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where alerts are kept. [default: an SQLite file in your state directory]"),
    ] = None,
    interval: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How often to look at everything. [default: 1s]")
    ] = None,
    config_file: ConfigFile = None,
) -> None:
    """Watch servers from outside, as an agent of its own, with API and page.

    Ends in an orderly way within 5 seconds: with status 0 at SIGTERM, 130 at Ctrl-C. At SIGHUP, and when a rule file has
    changed, it reads the rules again.
    """
    from dozor.cli.serve import serve as run  # noqa: PLC0415

    flags = {
        "host": host, "port": port, "database_url": database_url, "redis_url": redis_url, "scrape": scrape,
        "rules": rules, "store_url": store_url, "interval": interval, "config": config_file,
    }  # fmt: skip
    raise typer.Exit(run(flags))


@app.command(short_help="Watch a sample application, with faults.")
def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port of the page.")] = 8002,
    fault: Annotated[
        str | None, typer.Option(metavar="NAME", help="Cause this fault at once, instead of all by a timetable.")
    ] = None,
) -> None:
    """Run a busy sample application on real servers, with faults to watch."""
    from dozor.demo import run  # noqa: PLC0415

    raise typer.Exit(run(port=port, fault=fault))


@app.command(short_help="Take one look at a live Dozor.")
def check(*, url: Url = None, as_json: AsJson = False, config_file: ConfigFile = None) -> None:
    """Take one look at a live Dozor: 0 healthy, 1 warning, 2 critical, 3 unreachable."""
    from dozor.cli.check import check as run  # noqa: PLC0415

    raise typer.Exit(run({"url": url, "config": config_file}, as_json=as_json))


@app.command(short_help="The dashboard in the terminal.")
def top(
    *,
    once: Annotated[bool, typer.Option("--once", help="Show it once, and end; as it does where it is piped.")] = False,
    interval: Annotated[
        str, typer.Option(metavar="DURATION", help="How often to ask Dozor, 200ms at the least.")
    ] = "1s",
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show how everything is, live: what is wrong, since when, and what one can do about it. `?` lists the keys, `q` quits."""
    from dozor.cli.moments import at_least  # noqa: PLC0415
    from dozor.cli.top import top as run  # noqa: PLC0415

    seconds = at_least(interval, 0.2, key="--interval")
    run({"url": url, "config": config_file}, once=once, as_json=as_json, interval_seconds=seconds)


@app.command(short_help="Say why a rule fires, or does not.")
def explain(
    *,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule's name.")],
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Say why a rule fires, or does not: what it looks at, how far that is from its threshold, what is waited for."""
    from dozor.cli.client import Client  # noqa: PLC0415
    from dozor.cli.explain import explain as run  # noqa: PLC0415

    run(Client.connect({"url": url, "config": config_file}), rule, as_json=as_json)


@app.command(short_help="Mark a moment, such as a deploy.")
def annotate(
    *,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What happened.")],
    at: Annotated[
        str | None, typer.Option(metavar="WHEN", help="When: 10m ago, or 2026-11-22T18:00:00Z. [default: now]")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="What kind of thing it is; deploy marks another version.")
    ] = None,
    by: By = None,
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Mark a moment, for whoever looks at the charts later: a deploy, a migration, a load test."""
    from dozor.cli.annotate import annotate as run  # noqa: PLC0415
    from dozor.cli.client import Client  # noqa: PLC0415

    client = Client.connect({"url": url, "config": config_file})
    run(client, text, at=at, tags=tag or [], by=by, as_json=as_json)


alert_commands.add_commands(app)
silence_commands.add_commands(app)
app.add_typer(notify, name="notify")
app.add_typer(rules, name="rules")
app.add_typer(config, name="config")
app.add_typer(db, name="db")


@config.command()
def show(config_file: ConfigFile = None) -> None:
    """Print every setting with its origin; secrets are masked."""
    from dozor.cli.config import show as run  # noqa: PLC0415

    run({"config": config_file})


@db.command()
def upgrade(
    store_url: Annotated[str | None, typer.Option(metavar="URL", help="The database.")] = None,
    config_file: ConfigFile = None,
) -> None:
    """Bring the tables up to date. `dozor serve` and applications do so themselves when they start."""
    from dozor.cli.db import upgrade as run  # noqa: PLC0415

    run({"store_url": store_url, "config": config_file})


app.command("version")(print_version)
