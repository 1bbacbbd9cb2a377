"""`dozor silence`, `silences`, `unsilence`: their flags."""

from typing import Annotated

import typer

from dozor.cli.options import AsJson, By, Comment, ConfigFile, Match, Url
from dozor.errors import ConfigurationError


def add_commands(app: typer.Typer) -> None:
    """Put the commands on *app*."""
    app.command("silence", short_help="Tell nobody of an alert, or of all that match, for a time.")(silence)
    app.command("silences", short_help="List who silenced what, why, and until when.")(silences)
    app.command("unsilence", short_help="End a silence.")(unsilence)


def silence(
    *,
    alert_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="The alert's id, or its beginning; or else --match.")
    ] = None,
    match: Match = None,
    for_: Annotated[str | None, typer.Option("--for", metavar="DURATION", help="For so long: 30m, 1h30m, 2d.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Until then: 18:00, '2026-11-22 18:00', 2026-11-22T18:00:00Z.")
    ] = None,
    until_resolved: Annotated[
        bool, typer.Option("--until-resolved", help="Until the alert (of --match: all that it matches) has resolved.")
    ] = False,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --match: begin then, for a maintenance window.")
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="With --match: only show what it matches now; silence nothing.")
    ] = False,
    by: By = None,
    comment: Comment = None,
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Tell nobody of an alert, or of all alerts that match, for a time.

    The alerts stay visible. What still fires when the silence ends is told then, unless somebody has acknowledged it.
    Several --match must all hold; severity and component can be matched as labels.
    """
    from dozor.cli import silences as actions  # noqa: PLC0415
    from dozor.cli.client import Client  # noqa: PLC0415

    if (alert_id is None) == (not match):
        raise ConfigurationError("give the id of an alert, or --match with what to silence, and not both")
    if preview and not match:
        raise ConfigurationError("it goes with --match", key="--preview")
    client = Client.connect({"url": url, "config": config_file})
    span = actions.Span(for_, until, until_resolved, start)
    if preview:
        actions.preview(client, match or [], as_json=as_json)
    elif alert_id is not None:
        actions.silence_alert(client, alert_id, span, by=by, comment=comment, as_json=as_json)
    else:
        actions.silence_matching(client, match or [], span, by=by, comment=comment, as_json=as_json)


def silences(
    *,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only those that are scheduled, active or expired.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """List all silences, those of single alerts too: who silenced what, why, until when, and what they match now."""
    from dozor.cli import silences as actions  # noqa: PLC0415
    from dozor.cli.client import Client  # noqa: PLC0415

    actions.list_silences(Client.connect({"url": url, "config": config_file}), state=state, as_json=as_json)


def unsilence(
    *,
    silence_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id of the silence, or of the silenced alert, or its beginning.")
    ],
    by: By = None,
    comment: Comment = None,
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """End a silence now. What it kept quiet and still fires is told then, unless somebody has acknowledged it."""
    from dozor.cli import silences as actions  # noqa: PLC0415
    from dozor.cli.client import Client  # noqa: PLC0415

    client = Client.connect({"url": url, "config": config_file})
    actions.end_silence(client, silence_id, by=by, comment=comment, as_json=as_json)
