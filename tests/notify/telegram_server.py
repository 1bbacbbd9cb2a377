"""Telegram's Bot API on a real socket, which refuses what Telegram refuses."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import Any

from tests.notify.receiver import Behaviour, Receiver, Request, answer, receiving
from typing_extensions import override

TOKEN = "123456789:s3cr3t-token"
CHAT = "-1001234567890"

_TAGS = {"b", "strong", "i", "em", "u", "s", "code", "pre", "a", "blockquote", "tg-spoiler"}
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|#x?[0-9a-fA-F]+);)")
_ARGUMENTS = {"chat_id", "text", "parse_mode", "link_preview_options", "disable_notification", "reply_parameters"}


class RefusedText(Exception):
    """With Telegram's description."""


class _Markup(HTMLParser):
    """Reads HTML as Telegram does: few tags, all of them closed, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []
        self.entities = 0

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS or {name for name, _ in attrs} - {"href"}:
            raise RefusedText(f'Bad Request: can\'t parse entities: Unsupported start tag "{tag}"')
        self.links += [value or "" for _, value in attrs]
        self.open.append(tag)
        self.entities += 1

    @override
    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise RefusedText("Bad Request: can't parse entities: Unmatched end tag")

    @override
    def handle_data(self, data: str) -> None:
        if "<" in data or ">" in data or "&" in data:
            raise RefusedText("Bad Request: can't parse entities: Unsupported character")
        self.text.append(data)

    @override
    def handle_entityref(self, name: str) -> None:
        self.text.append(unescape(f"&{name};"))

    @override
    def handle_charref(self, name: str) -> None:
        self.text.append(unescape(f"&#{name};"))


def read_html(text: str) -> _Markup:
    """What *text* says. Raises RefusedText for what Telegram would not take."""
    if _ENTITY.search(re.sub(r"<[^>]*>", "", text)):
        raise RefusedText("Bad Request: can't parse entities: Unsupported entity")
    markup = _Markup()
    markup.feed(text)
    markup.close()
    if markup.open:
        raise RefusedText("Bad Request: can't parse entities: Can't find end tag")
    _check_length("".join(markup.text))
    return markup


def _check_length(text: str) -> None:
    if not text.strip():
        raise RefusedText("Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > 4096:
        raise RefusedText("Bad Request: message is too long")


@dataclass
class TelegramServer:
    """What Telegram keeps. *faults* come first, one for each request."""

    receiver: Receiver = field(init=False)
    chat: str = CHAT
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    faults: list[Behaviour | None] = field(default_factory=list)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.receiver.port}"

    def message(self, number: int = 0) -> dict[str, Any]:
        """The message that was sent as the *number*th."""
        return list(self.messages.values())[number]

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self.faults.pop(0) if self.faults else None
        await (fault or self._answer(self.receiver.requests[-1]))(reader, writer)

    def _answer(self, request: Request) -> Behaviour:
        if request.target != f"/bot{TOKEN}/sendMessage":
            return refuses(401, "Unauthorized")
        message = request.json
        if set(message) - _ARGUMENTS or "chat_id" not in message:
            return refuses(400, "Bad Request: wrong arguments")
        if message["chat_id"] != self.chat:
            return refuses(400, "Bad Request: chat not found")
        try:
            if message.get("parse_mode") == "HTML":
                read_html(message["text"])
            else:
                _check_length(message["text"])
        except RefusedText as refused:
            return refuses(400, str(refused))
        reply = message.get("reply_parameters", {})
        if reply and reply["message_id"] not in self.messages and not reply.get("allow_sending_without_reply"):
            return refuses(400, "Bad Request: message to be replied not found")
        number = 100 + len(self.messages)
        self.messages[number] = message
        return says({"ok": True, "result": {"message_id": number, "text": message["text"]}})


def says(said: Any, status: int = 200) -> Behaviour:
    """Answer as Telegram does."""
    return answer(status, json.dumps(said).encode(), content_type="application/json")


def refuses(status: int, description: str, **parameters: int) -> Behaviour:
    """Decline as Telegram does."""
    said = {"ok": False, "error_code": status, "description": description}
    return says({**said, "parameters": parameters} if parameters else said, status)


@asynccontextmanager
async def telegram() -> AsyncIterator[TelegramServer]:
    """Telegram, for as long as the context lasts."""
    server = TelegramServer()
    async with receiving(server) as server.receiver:
        yield server
