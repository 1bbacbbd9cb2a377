"""Telegram: a bot that writes to one chat. What follows on an alert answers the message that showed it first."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, ClassVar, Final

import msgspec
from msgspec.structs import replace

from dozor.clock import Clock
from dozor.errors import ConfigurationError, DeliveryError
from dozor.model.alert import AlertState, Severity
from dozor.model.notification import Notification, Occasion, SentMessage
from dozor.notify.http import ExchangeFailed, HttpReceiver, Reply, parse_url
from dozor.notify.message import AlertText, MessageText, compose, text
from dozor.notify.notifier import Notifier
from dozor.notify.plain import plain
from dozor.notify.retry import bounded, retry_after_seconds

logger = logging.getLogger("dozor.notify")

_TIMEOUT_SECONDS: Final = 5.0
_TOKEN: Final = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
_CHAT: Final = re.compile(r"-?[0-9]+|@[A-Za-z0-9_]+")

# https://core.telegram.org/bots/api#sendmessage: 4096 UTF-16 units after the markup was read, and 100 entities.
_ALL: Final = 3900
_FULL_ALERTS: Final = 5
_MOST_ALERTS: Final = 15
_LINE: Final = 200
_URL: Final = 1000
_LEAST: Final = 30

_BY_SEVERITY: Final = {
    Severity.INFO: "🔵",
    Severity.WARNING: "🟠",
    Severity.CRITICAL: "🔴",
    Severity.EMERGENCY: "🚨",
}
_BY_STATE: Final = {AlertState.ACKNOWLEDGED: "👀", AlertState.SILENCED: "🔕", AlertState.RESOLVED: "✅"}

_BOT: Final = "check the bot's token, which @BotFather gave"
_MEMBER: Final = "check the chat's id, and add the bot to it; a person must have sent it /start first"
_ADVICE: Final = {401: _BOT, 404: _BOT, 403: _MEMBER}


@dataclass(frozen=True)
class TelegramChannel:
    """One chat in Telegram.

    Attributes:
        token: the bot's, from @BotFather.
        chat: the chat's id (`-1001234567890`), or the name of a public channel (`@alerts`).
        api_url: where Telegram's Bot API is.
        send_resolved: whether ends are told.
    """

    kind: ClassVar[str] = "telegram"
    # To a group, a bot may send 20 messages a minute.
    rate: ClassVar[tuple[float, int]] = (1 / 3, 5)

    token: str = field(default="", repr=False, metadata={"secret": True})
    chat: str = ""
    api_url: str = "https://api.telegram.org"
    send_resolved: bool = True

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.token):
            raise ConfigurationError("set the bot's token as @BotFather gave it: 123456789:AA…", key="token")
        if not _CHAT.fullmatch(self.chat):
            raise ConfigurationError("set the chat's id, such as -1001234567890, or a channel's @name", key="chat")
        parse_url(self.api_url, key="api_url")

    def build(self, name: str, clock: Clock, locale: str) -> Notifier:
        """The notifier."""
        return TelegramNotifier(self, name, clock, locale)


class TelegramNotifier:
    """Sends each notification as one message. Used on one event loop at a time."""

    def __init__(self, channel: TelegramChannel, name: str, clock: Clock, locale: str) -> None:
        self.name, self._chat, self._token = name, channel.chat, channel.token
        self._clock, self._locale = clock, locale
        self._http = HttpReceiver(
            f"{channel.api_url.rstrip('/')}/bot{channel.token}/sendMessage",
            key="api_url",
            timeout_seconds=_TIMEOUT_SECONDS,
            secrets=(channel.token,),
        )

    def __repr__(self) -> str:
        return f"TelegramNotifier({self._chat})"

    @property
    def target(self) -> str:
        """Where it leads."""
        return self._chat

    async def send(self, notification: Notification) -> None:
        """Send *notification* as if nothing had been said of its alerts before."""
        await self.correspond(notification, ())

    async def correspond(self, notification: Notification, earlier: Sequence[SentMessage]) -> Sequence[SentMessage]:
        """Send *notification*, below the first message of *earlier* that showed one of its alerts.

        Raises:
            DeliveryError: it did not arrive.
        """
        written = self._compose(notification)
        arguments: dict[str, object] = {
            "text": render(written, notification.external_url),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
            # An end is good news: it wakes nobody.
            "disable_notification": notification.occasion is Occasion.RESOLVED,
        }
        try:
            sent = await self._send(arguments, notification, earlier)
        except _MarkupRefused as refused:
            logger.warning("Telegram did not take a message's markup (%s); it goes as plain text", refused.reason)
            unmarked = {name: value for name, value in arguments.items() if name != "parse_mode"}
            sent = await self._send({**unmarked, "text": _cut(text(written), _ALL)}, notification, earlier)
        return [*_as_they_are(notification, earlier), *_new(notification, earlier, sent)]

    async def prepare(self) -> None:
        """Do now what the first notification would wait for."""
        await self._http.prepare()

    async def aclose(self) -> None:
        """Close what is open."""
        await self._http.aclose()

    def _compose(self, notification: Notification) -> MessageText:
        shown = notification.alerts[:_MOST_ALERTS]
        omitted = notification.omitted + len(notification.alerts) - len(shown)
        return compose(replace(notification, alerts=shown, omitted=omitted), self._clock.date, self._locale)

    async def _send(
        self, arguments: Mapping[str, object], notification: Notification, earlier: Sequence[SentMessage]
    ) -> str | None:
        """The message's reference."""
        try:
            answer = await self._call({**arguments, **self._place(notification, earlier)})
        except _Moved as moved:
            logger.warning(
                "the chat %s became the supergroup %s: set that as the channel's chat", self._chat, moved.chat
            )
            self._chat = moved.chat
            answer = await self._call({**arguments, **self._place(notification, earlier)})
        number = answer.get("message_id")
        return f"{self._chat}:{number}" if isinstance(number, int) else None

    def _place(self, notification: Notification, earlier: Sequence[SentMessage]) -> dict[str, object]:
        """Which chat, and the message to answer: of another chat it would be another message."""
        order = {alert.id: number for number, alert in enumerate(notification.alerts)}
        last = len(order)
        first = min(earlier, key=lambda sent: min(order.get(alert.id, last) for alert in sent.alerts), default=None)
        chat, _, number = first.reference.rpartition(":") if first else ("", "", "")
        if chat != self._chat:
            return {"chat_id": self._chat}
        reply = {"message_id": int(number), "allow_sending_without_reply": True}
        return {"chat_id": self._chat, "reply_parameters": reply}

    async def _call(self, arguments: Mapping[str, object]) -> Mapping[str, Any]:
        content = msgspec.json.encode(arguments)
        try:
            reply = await self._http.exchange("POST", headers={"content-type": "application/json"}, content=content)
        except ExchangeFailed as error:
            raise DeliveryError(self.name, str(error)) from None
        answer = _decoded(reply)
        if reply.status == 200 and answer.get("ok") is True:
            result = answer.get("result")
            return result if isinstance(result, dict) else {}
        raise self._refused(reply, answer)

    def _refused(self, reply: Reply, answer: Mapping[str, Any]) -> DeliveryError:
        if answer.get("ok") is not False:
            said = reply.text or "nothing"
            return DeliveryError(
                self.name, f"{self._http.shown} answered {reply.status} with what is not Telegram's: {said}"
            )
        parameters = answer.get("parameters")
        parameters = parameters if isinstance(parameters, dict) else {}
        said = plain(str(answer.get("description", "")).replace(self._token, "***"), _LINE)
        if isinstance(parameters.get("migrate_to_chat_id"), int):
            return _Moved(self.name, said, str(parameters["migrate_to_chat_id"]))
        if reply.status == 400 and ("parse entities" in said or "too long" in said):
            return _MarkupRefused(self.name, said, recoverable=False)
        advice = _MEMBER if "chat not found" in said else _ADVICE.get(reply.status)
        wait = parameters.get("retry_after")
        header = retry_after_seconds(reply.headers.get("retry-after"), self._clock.now())
        return DeliveryError(
            self.name,
            f"Telegram refused it: {said}" + (f"; {advice}" if advice else ""),
            recoverable=reply.status == 429 or reply.status >= 500,
            retry_after_seconds=bounded(wait) if isinstance(wait, int | float) else header,
        )


class _MarkupRefused(DeliveryError):  # noqa: N818 - named for what is the case
    """Telegram does not take the message as it is marked up."""


class _Moved(DeliveryError):  # noqa: N818
    """The group became a supergroup, which has another id."""

    def __init__(self, receiver: str, reason: str, chat: str) -> None:
        self.chat = chat
        super().__init__(receiver, f"Telegram refused it: {reason}; set the chat to {chat}", recoverable=False)


def render(message: MessageText, overview: str | None = None) -> str:
    """*message* in Telegram's HTML: https://core.telegram.org/bots/api#html-style.

    *overview* is where Dozor shows all alerts.
    """
    full, brief = message.alerts[:_FULL_ALERTS], message.alerts[_FULL_ALERTS:]
    room = _Room(_ALL)
    parts = [f"<b>{room.fit(message.subject, 2 * _LINE)}</b>"]
    ending = [_brief(alert, room) for alert in brief]
    ending += [room.fit(message.more, _LINE)] if message.more else []
    ending += [link] if brief and (link := _link(overview, message.headings.open, room)) else []
    for number, alert in enumerate(full):
        share = _Room(room.left // (len(full) - number))
        room.left -= share.left
        parts.append("\n".join(_lines(alert, message, share)))
        room.left += share.left
    return "\n\n".join([*parts, *(["\n".join(ending)] if ending else [])])


class _Room:
    """So many UTF-16 units are left, in which Telegram counts."""

    def __init__(self, left: int) -> None:
        self.left = left

    def fit(self, said: str, limit: int) -> str:
        """*said*, cut to *limit* and to what is left, then escaped; empty where that is too little to be read."""
        if self.left < min(_LEAST, _units(said)):
            return ""
        # The separators between what is written count too.
        shown = _cut(said, min(limit, self.left))
        self.left -= _units(shown) + 3
        return escape(shown)


def _lines(alert: AlertText, message: MessageText, room: _Room) -> Iterator[str]:
    headings = message.headings
    yield f"{_mark(alert)} <b>{room.fit(alert.rule, _LINE)}</b> ({alert.state_text})"
    room.left -= len(alert.state_text) + 6
    # Taken first, for they lead to all that there is no room for.
    links = [_link(alert.link, headings.open, room), _link(alert.runbook, headings.runbook, room)]
    yield room.fit(alert.summary, 2 * _LINE)
    yield from (shown for label, fact in alert.facts if (shown := room.fit(f"{label}: {fact}", 2 * _LINE)))
    if alert.advice and (shown := room.fit(f"{headings.advice}: {alert.advice}", 3 * _LINE)):
        yield shown
    if alert.evidence and (seen := room.fit(f"{headings.evidence}:\n" + "\n".join(alert.evidence), 6 * _LINE)):
        heading, _, rest = seen.partition("\n")
        yield f"{heading}\n<pre>{rest}</pre>" if rest else heading
    if any(links):
        yield " | ".join(filter(None, links))


def _brief(alert: AlertText, room: _Room) -> str:
    return f"{_mark(alert)} <b>{room.fit(alert.rule, _LINE // 2)}</b>: {room.fit(alert.summary, _LINE // 2)}"


def _mark(alert: AlertText) -> str:
    return _BY_STATE.get(alert.state) or _BY_SEVERITY[alert.severity]


def _link(url: str | None, words: str, room: _Room) -> str:
    if url is None or not url.lower().startswith(("http://", "https://")) or len(url) > _URL:
        return ""
    shown = room.fit(words, _LINE)
    return f'<a href="{escape(url)}">{shown}</a>' if shown else ""


def _units(said: str) -> int:
    return len(said.encode("utf-16-le", "replace")) // 2


def _cut(said: str, limit: int) -> str:
    if _units(said) <= limit:
        return said
    kept = said.encode("utf-16-le", "replace")[: 2 * (limit - 1)]
    return kept.decode("utf-16-le", "ignore").rstrip() + "…"


def _as_they_are(notification: Notification, earlier: Sequence[SentMessage]) -> Iterator[SentMessage]:
    newest = {alert.id: alert for alert in notification.alerts}
    for message in earlier:
        yield replace(message, alerts=tuple(newest.get(alert.id, alert) for alert in message.alerts))


def _new(notification: Notification, earlier: Sequence[SentMessage], reference: str | None) -> Iterator[SentMessage]:
    known = {alert.id for message in earlier for alert in message.alerts}
    unseen = tuple(alert for alert in notification.alerts if alert.id not in known)
    if unseen and reference is not None:
        yield SentMessage(reference, unseen)


def _decoded(reply: Reply) -> Mapping[str, Any]:
    try:
        answer = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return answer if isinstance(answer, dict) else {}
