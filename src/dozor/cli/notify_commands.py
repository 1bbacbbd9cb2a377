"""`dozor notify …`: its flags."""

from typing import Annotated

import typer

from dozor.cli.options import AsJson, ConfigFile, Url
from dozor.errors import ConfigurationError

notify = typer.Typer(no_args_is_help=True, help="Who is told: try a channel, see what did not arrive.")

ChannelFilter = Annotated[str | None, typer.Option("--channel", metavar="NAME", help="Of this channel alone.")]


@notify.command("test", short_help="Send a test message through a channel.")
def try_channel(
    *,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Its name in the settings, such as slack.")],
    locale: Annotated[
        str | None, typer.Option(metavar="LANGUAGE", help="en or ru. [default: that of the settings]")
    ] = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Send a test message through a channel of the settings, from here and at once; no Dozor needs to run."""
    from dozor.cli.notify_test import test_channel  # noqa: PLC0415

    test_channel({"config": config_file, "locale": locale}, channel, as_json=as_json)


@notify.command(short_help="List the channels and how they fare.")
def channels(*, url: Url = None, as_json: AsJson = False, config_file: ConfigFile = None) -> None:
    """List the channels of a live Dozor: what waits, what arrived, what failed last, and why."""
    from dozor.cli import notify as actions  # noqa: PLC0415
    from dozor.cli.client import Client  # noqa: PLC0415

    actions.list_channels(Client.connect({"url": url, "config": config_file}), as_json=as_json)


@notify.command(short_help="List the notifications that were given up.")
def dead(
    *,
    channel: ChannelFilter = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="COUNT", help="How many at most.")] = 100,
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """List the dead letters: notifications that a channel refused for good, or that could not be delivered in a day."""
    from dozor.cli import notify as actions  # noqa: PLC0415
    from dozor.cli.client import Client  # noqa: PLC0415

    client = Client.connect({"url": url, "config": config_file})
    actions.list_dead(client, channel=channel, limit=limit, as_json=as_json)


@notify.command(short_help="Send dead letters again.")
def retry(
    *,
    letter_id: Annotated[str | None, typer.Argument(metavar="ID", help="The one to send again.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them, or all of --channel.")] = False,
    channel: ChannelFilter = None,
    url: Url = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Send dead letters again, once what kept them from arriving is mended."""
    from dozor.cli import notify as actions  # noqa: PLC0415
    from dozor.cli.client import Client  # noqa: PLC0415

    if (letter_id is None) != every:
        raise ConfigurationError("give the id of a notification, or --all, and not both")
    if channel is not None and not every:
        raise ConfigurationError("it goes with --all", key="--channel")
    actions.retry(Client.connect({"url": url, "config": config_file}), letter_id, channel=channel, as_json=as_json)
