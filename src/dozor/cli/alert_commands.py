"""`dozor alerts`, `ack`, `resolve`, `note`, `history`: their flags."""

from typing import Annotated

import typer

from dozor.cli.options import AlertId, AsJson, By, Comment, ConfigFile, Match, Rule, Severity, Url


def add_commands(app: typer.Typer) -> None:
    """Put the commands on *app*."""
    app.command("alerts", short_help="List what fires, or show one alert.")(alerts)
    app.command("ack", short_help="Say that somebody has an alert.")(ack)
    app.command("resolve", short_help="Close an alert by hand.")(resolve)
    app.command("note", short_help="Write something down beside an alert.")(note)
    app.command("history", short_help="List what fired.")(history)


def alerts(
    *,
    alert_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Show this alert with its timeline; its id or the beginning.")
    ] = None,
    pending: Annotated[
        bool, typer.Option("--pending", help="Also those whose condition holds, but not for long enough to fire.")
    ] = False,
    severity: Severity = None,
    rule: Rule = None,
    match: Match = None,
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """List the alerts that have not ended, worst first, or show one with its timeline."""
    from dozor.cli import alerts as actions  # noqa: PLC0415
    from dozor.cli.client import Client  # noqa: PLC0415

    client = Client.connect({"url": url, "config": config_file})
    if alert_id is not None:
        actions.show(client, alert_id, as_json=as_json)
    else:
        wanted = actions.filters(severity=severity, rule=rule, match=match)
        actions.list_active(client, wanted, pending=pending, as_json=as_json)


def ack(
    *,
    alert_id: AlertId,
    by: By = None,
    comment: Comment = None,
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Say that somebody has the alert: reminders and escalation by time stop. It stays visible until it resolves."""
    from dozor.cli import alerts as actions  # noqa: PLC0415
    from dozor.cli.client import Client  # noqa: PLC0415

    client = Client.connect({"url": url, "config": config_file})
    actions.acknowledge(client, alert_id, by=by, comment=comment, as_json=as_json)


def resolve(
    *,
    alert_id: AlertId,
    by: By = None,
    comment: Comment = None,
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Close the alert by hand. If its condition still holds after the cooldown, it fires anew."""
    from dozor.cli import alerts as actions  # noqa: PLC0415
    from dozor.cli.client import Client  # noqa: PLC0415

    client = Client.connect({"url": url, "config": config_file})
    actions.resolve(client, alert_id, by=by, comment=comment, as_json=as_json)


def note(
    *,
    alert_id: AlertId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to write.")],
    by: By = None,
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Write something down beside an alert, also one that has ended. It stays in the alert's timeline."""
    from dozor.cli import alerts as actions  # noqa: PLC0415
    from dozor.cli.client import Client  # noqa: PLC0415

    client = Client.connect({"url": url, "config": config_file})
    actions.note(client, alert_id, text, by=by, as_json=as_json)


def history(
    *,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Fired since then: 24h ago, or 2026-11-22T18:00:00Z.")
    ] = None,
    severity: Severity = None,
    rule: Rule = None,
    match: Match = None,
    limit: Annotated[int, typer.Option(min=1, metavar="COUNT", help="How many at most.")] = 100,
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """List the alerts that ever fired, newest first."""
    from dozor.cli import alerts as actions  # noqa: PLC0415
    from dozor.cli.client import Client  # noqa: PLC0415

    client = Client.connect({"url": url, "config": config_file})
    wanted = actions.filters(severity=severity, rule=rule, match=match)
    actions.history(client, wanted, since=since, limit=limit, as_json=as_json)
