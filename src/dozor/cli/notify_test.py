"""`dozor notify test`: a message through a channel of the settings, from here, to see whether it arrives."""

import asyncio
from collections.abc import Mapping

from dozor.cli.outcome import Refused
from dozor.cli.output import print_json, say
from dozor.cli.serve import AGENT
from dozor.clock import Clock
from dozor.errors import ConfigurationError, DeliveryError
from dozor.notify.notifier import Channel, Receiver
from dozor.notify.sending import Sender
from dozor.notify.trial import Speaker, end_of, trial
from dozor.settings import Settings

_LIMIT_SECONDS = 30.0


def test_channel(flags: Mapping[str, object], name: str, *, as_json: bool) -> None:
    """Send a test message through the channel *name*, and say how that went.

    Raises:
        ConfigurationError: there is no such channel, or the settings are wrong.
        Refused: it did not arrive.
    """
    settings = Settings.load(flags=flags, strict=True)
    channel = settings.channels.get(name)
    if channel is None:
        known = ", ".join(sorted(settings.channels)) or "none: DOZOR_WEBHOOK_URL, DOZOR_SLACK_WEBHOOK_URL … set one up"
        raise ConfigurationError(
            f"there is no channel {name!r}; those of the settings are {known}. "
            "An application's own notifiers are tested on the page of its Dozor"
        )
    speaker = Speaker(settings.name or AGENT, settings.environment, settings.external_url, settings.locale)
    clock = Clock()
    began = clock.monotonic()
    try:
        asyncio.run(_send(name, channel, clock, speaker))
    except DeliveryError as error:
        raise Refused(str(error)) from None
    took = clock.monotonic() - began
    if as_json:
        print_json({"channel": name, "delivered": True, "seconds": round(took, 3)})
    else:
        say(f"{name} took the test message, in {took:.2f} s. Now look whether it can be read where people look.")


async def _send(name: str, channel: Channel, clock: Clock, speaker: Speaker) -> None:
    notifier = channel.build(name, clock, speaker.locale)
    receiver, sender = Receiver(notifier), Sender(name, notifier, limit_seconds=_LIMIT_SECONDS)
    first = trial(clock.timestamp(), speaker)
    try:
        messages = await sender.send(first)
        # What keeps track of alerts hears of the end as well, so that nothing stays open there.
        if receiver.follows_updates or receiver.refresher is not None:
            await sender.send(end_of(first, clock.timestamp()), messages)
    finally:
        close = getattr(notifier, "aclose", None)
        if close is not None:
            await close()
