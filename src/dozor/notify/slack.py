"""Slack: by an incoming webhook, or as an app with a token, which keeps its messages up to date.

The app shows each alert in one message and changes that message as the alert changes; only what calls for people (it
fires, it got worse, it still fires) makes a new message, or an answer below the one that shows the alert already.
"""

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from msgspec import Struct
from msgspec.structs import replace

from dozor.clock import Clock
from dozor.errors import ConfigurationError, DeliveryError
from dozor.model.alert import Alert, AlertState
from dozor.model.notification import Notification, Occasion, SentMessage
from dozor.notify import slack_blocks
from dozor.notify.http import parse_url
from dozor.notify.message import MessageText, compose, text
from dozor.notify.notifier import Notifier
from dozor.notify.slack_api import BLOCKS_REFUSED, IncomingWebhook, Refused, WebApi

logger = logging.getLogger("dozor.notify")

_SECRET: Final = {"secret": True}
_CALLING: Final = frozenset({Occasion.FIRING, Occasion.ESCALATED, Occasion.REMINDER})
# What Slack says of a message that is not there any more, or that this app cannot change: it is posted anew.
_LOST: Final = frozenset(
    {
        "cant_update_message",
        "channel_not_found",
        "edit_window_closed",
        "is_archived",
        "message_not_found",
        "not_in_channel",
    }
)
_PLAIN_CHARACTERS: Final = 3500
_REMEMBERED: Final = 256


@dataclass(frozen=True)
class SlackChannel:
    """One channel in Slack: either *webhook_url*, or *token* with *channel*.

    Attributes:
        webhook_url: an incoming webhook's address.
        token: an app's bot token, with the scope `chat:write`.
        channel: where the app posts: a name (`#alerts`) or an id (`C0123456789`).
        signing_secret: the app's; with it, messages have buttons.
        api_url: where Slack's Web API is.
        send_resolved: whether ends are told.
    """

    kind: ClassVar[str] = "slack"
    rate: ClassVar[tuple[float, int]] = (1.0, 5)

    webhook_url: str | None = field(default=None, repr=False, metadata=_SECRET)
    token: str | None = field(default=None, repr=False, metadata=_SECRET)
    channel: str | None = None
    signing_secret: str | None = field(default=None, repr=False, metadata=_SECRET)
    api_url: str = "https://slack.com/api"
    send_resolved: bool = True

    def __post_init__(self) -> None:
        if self.webhook_url and self.token:
            raise ConfigurationError("set either this or token with channel, not both", key="webhook_url")
        if self.webhook_url:
            parse_url(self.webhook_url, key="webhook_url")
            return
        if not self.token:
            missing = "a channel alone is not enough: " if self.channel else ""
            raise ConfigurationError(f"{missing}set the app's bot token (xoxb-…), or webhook_url instead", key="token")
        if not self.channel:
            raise ConfigurationError(
                "say where the app is to post: a name (#alerts) or an id (C0123456789)", key="channel"
            )
        if not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise ConfigurationError("this is no token of Slack's: it has characters that none has", key="token")
        parse_url(self.api_url, key="api_url")

    def build(self, name: str, clock: Clock, locale: str) -> Notifier:
        """The notifier."""
        writer = _Writer(clock, locale, buttons=bool(self.signing_secret))
        if self.webhook_url:
            return SlackWebhookNotifier(name, IncomingWebhook(name, self.webhook_url, clock), writer)
        api = WebApi(name, self.token or "", self.api_url, clock)
        return SlackAppNotifier(name, api, self.channel or "", writer)


class SlackWebhookNotifier:
    """Posts each notification as a message of its own: an incoming webhook's messages cannot be changed."""

    def __init__(self, name: str, webhook: IncomingWebhook, writer: "_Writer") -> None:
        self.name, self._webhook, self._writer = name, webhook, writer

    def __repr__(self) -> str:
        return f"SlackWebhookNotifier({self.target})"

    @property
    def target(self) -> str:
        """Where it leads, without the secret."""
        return self._webhook.shown

    async def send(self, notification: Notification) -> None:
        """Post *notification* once; as plain text, should Slack not take its blocks.

        Raises:
            DeliveryError: it did not arrive.
        """
        written = self._writer.compose(notification)
        try:
            await self._webhook.post(self._writer.message(written, notification))
        except Refused as refused:
            if refused.code not in BLOCKS_REFUSED:
                raise
            _tell_refused(self.name, refused)
            await self._webhook.post(_plain(written))

    async def prepare(self) -> None:
        """Do now what the first notification would wait for."""
        await self._webhook.prepare()

    async def aclose(self) -> None:
        """Close what is open."""
        await self._webhook.aclose()


class SlackAppNotifier:
    """Posts as an app, and keeps each message as its alerts are now. Used on one event loop at a time."""

    follows_updates: ClassVar[bool] = True

    def __init__(self, name: str, api: WebApi, channel: str, writer: "_Writer") -> None:
        self.name, self._api, self._channel, self._writer = name, api, channel, writer
        self._posted: OrderedDict[str, dict[str, SentMessage | None]] = OrderedDict()

    def __repr__(self) -> str:
        return f"SlackAppNotifier({self._channel})"

    @property
    def target(self) -> str:
        """Where it leads."""
        return self._channel

    async def send(self, notification: Notification) -> None:
        """Post *notification* as if nothing had been said of its alerts before."""
        await self.correspond(notification, ())

    async def correspond(self, notification: Notification, earlier: Sequence[SentMessage]) -> Sequence[SentMessage]:
        """Bring the messages *earlier* up to date, and post what they do not show and what calls for people.

        A message that cannot be changed keeps nobody from being told; the attempt then fails after that, and what was
        posted is not posted again by the next.

        Raises:
            DeliveryError: not all of it arrived.
        """
        shown, failure = await self._bring_up_to_date(notification, earlier)
        known = {alert.id for message in shown for alert in message.alerts}
        unseen = tuple(alert for alert in notification.alerts if alert.id not in known)
        calling = tuple(alert for alert in notification.alerts if alert.id in known and alert.resolved_at is None)
        if unseen and not notification.occasion.update:
            posted = await self._post(notification, unseen)
            shown += [posted] if posted else []
        if calling and notification.occasion in _CALLING:
            await self._answer_below(_message_of(calling[0], shown), notification, calling)
        if failure is not None:
            raise failure
        self._posted.pop(notification.id, None)
        return shown

    async def prepare(self) -> None:
        """Do now what the first notification would wait for."""
        await self._api.prepare()

    async def aclose(self) -> None:
        """Close what is open."""
        await self._api.aclose()

    async def _bring_up_to_date(
        self, notification: Notification, earlier: Sequence[SentMessage]
    ) -> tuple[list[SentMessage], DeliveryError | None]:
        """The messages that are still there, with their alerts as they are now, and why one could not be changed."""
        newest = {alert.id: alert for alert in notification.alerts}
        kept: list[SentMessage] = []
        failure: DeliveryError | None = None
        for message in earlier:
            current = replace(message, alerts=tuple(newest.get(alert.id, alert) for alert in message.alerts))
            try:
                if current != message:
                    await self._update(notification, current)
            except Refused as refused:
                if refused.code in _LOST:
                    continue
                failure = refused
            except DeliveryError as error:
                failure = error
            kept.append(current)
        return kept, failure

    async def _update(self, notification: Notification, message: SentMessage) -> None:
        place = _Place.read(message.reference)
        about = replace(notification, alerts=message.alerts, omitted=place.omitted, occasion=standing(message.alerts))
        await self._call("chat.update", about, {"channel": place.channel, "ts": place.at})

    async def _post(self, notification: Notification, alerts: tuple[Alert, ...]) -> SentMessage | None:
        """The message, None where Slack did not say which it is."""
        done = self._done(notification)
        if "message" not in done:
            about = replace(notification, alerts=alerts)
            metadata = {"event_type": "dozor_notification", "event_payload": {"id": notification.id}}
            answer = await self._call("chat.postMessage", about, {"channel": self._channel, "metadata": metadata})
            place = _Place.of(answer, notification.omitted)
            done["message"] = SentMessage(place.reference, alerts) if place else None
        return done["message"]

    async def _answer_below(self, message: SentMessage, notification: Notification, alerts: tuple[Alert, ...]) -> None:
        done = self._done(notification)
        if "answer" in done:
            return
        place = _Place.read(message.reference)
        written = self._writer.compose(replace(notification, alerts=alerts, omitted=0))
        arguments = {
            "channel": place.channel,
            "thread_ts": place.at,
            "reply_broadcast": True,
            "metadata": {"event_type": "dozor_notification", "event_payload": {"id": notification.id}},
        }
        await self._say("chat.postMessage", written, slack_blocks.reply(written), arguments)
        done["answer"] = None

    async def _call(self, method: str, notification: Notification, arguments: dict[str, object]) -> Mapping[str, Any]:
        written = self._writer.compose(notification)
        return await self._say(method, written, self._writer.blocks(written, notification), arguments)

    async def _say(
        self, method: str, written: MessageText, blocks: list[slack_blocks.Block], arguments: dict[str, object]
    ) -> Mapping[str, Any]:
        # Updates read names and links in the text as people's messages do, unless told not to.
        quiet = {"parse": "none", "link_names": False}
        if method == "chat.postMessage":
            quiet |= {"unfurl_links": False, "unfurl_media": False}
        said = {"text": slack_blocks.fallback(written), "blocks": blocks}
        try:
            return await self._api.call(method, {**arguments, **quiet, **said})
        except Refused as refused:
            if refused.code not in BLOCKS_REFUSED:
                raise
            _tell_refused(self.name, refused)
            return await self._api.call(method, {**arguments, **quiet, **_plain(written)})

    def _done(self, notification: Notification) -> dict[str, SentMessage | None]:
        """What earlier attempts have posted of *notification*: another need not do so again."""
        done = self._posted.setdefault(notification.id, {})
        while len(self._posted) > _REMEMBERED:
            self._posted.popitem(last=False)
        return done


class _Writer:
    """Writes messages in one language."""

    def __init__(self, clock: Clock, locale: str, *, buttons: bool) -> None:
        self._clock, self._locale, self._buttons = clock, locale, buttons

    def compose(self, notification: Notification) -> MessageText:
        shown = notification.alerts[: slack_blocks.MOST_ALERTS]
        omitted = notification.omitted + len(notification.alerts) - len(shown)
        return compose(replace(notification, alerts=shown, omitted=omitted), self._clock.date, self._locale)

    def blocks(self, written: MessageText, notification: Notification) -> list[slack_blocks.Block]:
        return slack_blocks.blocks(written, overview=notification.external_url, buttons=self._buttons)

    def message(self, written: MessageText, notification: Notification) -> dict[str, object]:
        return {"text": slack_blocks.fallback(written), "blocks": self.blocks(written, notification)}


class _Place(Struct, frozen=True):
    """Where a message is, and how many alerts it counts besides those that it shows."""

    channel: str
    at: str
    omitted: int

    @classmethod
    def of(cls, answer: Mapping[str, Any], omitted: int) -> "_Place | None":
        channel, at = answer.get("channel"), answer.get("ts")
        return cls(channel, at, omitted) if isinstance(channel, str) and isinstance(at, str) else None

    @classmethod
    def read(cls, reference: str) -> "_Place":
        channel, at, omitted = reference.split(":")
        return cls(channel, at, int(omitted))

    @property
    def reference(self) -> str:
        return f"{self.channel}:{self.at}:{self.omitted}"


def standing(alerts: Sequence[Alert]) -> Occasion:
    """What is to be said of *alerts* as they now are, whatever happened last."""
    states = {alert.state for alert in alerts}
    if states <= {AlertState.RESOLVED}:
        return Occasion.RESOLVED
    states -= {AlertState.RESOLVED}
    if states == {AlertState.SILENCED}:
        return Occasion.SILENCED
    return Occasion.ACKNOWLEDGED if states <= {AlertState.SILENCED, AlertState.ACKNOWLEDGED} else Occasion.FIRING


def _message_of(alert: Alert, messages: Sequence[SentMessage]) -> SentMessage:
    return next(message for message in messages if any(shown.id == alert.id for shown in message.alerts))


def _plain(written: MessageText) -> dict[str, object]:
    return {"text": slack_blocks.mrkdwn(text(written), _PLAIN_CHARACTERS)}


def _tell_refused(name: str, refused: Refused) -> None:
    logger.warning("Slack did not take the blocks of a message to %s (%s); it goes as plain text", name, refused.code)
