"""Slack on a real socket: an incoming webhook and the Web API, which refuse what Slack refuses."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.notify.receiver import Behaviour, Receiver, Request, answer, receiving

TOKEN = "xoxb-s3cr3t-token"
CHANNEL = "C0ALERTS01"

_ARGUMENTS = {
    "chat.postMessage": {
        *("channel", "text", "blocks", "metadata", "parse", "link_names"),
        *("thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media"),
    },
    "chat.update": {"channel", "ts", "text", "blocks", "metadata", "parse", "link_names"},
}
_KEYS = {
    "header": {"type", "text"},
    "section": {"type", "text", "fields"},
    "divider": {"type"},
    "context": {"type", "elements"},
    "actions": {"type", "elements"},
    "button": {"type", "text", "action_id", "value", "style", "url"},
}
_LONGEST_BLOCKS = 11_300
_MARKUP = re.compile(r"<([^<>]*)>")


class RefusedBlocks(Exception):
    """With Slack's word for it."""


def check_blocks(blocks: Any) -> None:
    """Raise RefusedBlocks for what Slack would not take."""
    _check(isinstance(blocks, list) and len(blocks) <= 50, "invalid_blocks")
    for block in blocks:
        _check(isinstance(block, dict) and block.get("type") in _KEYS, "invalid_blocks")
        _check(set(block) <= _KEYS[block["type"]], "invalid_blocks")
        _BLOCKS[block["type"]](block)
    _check(sum(map(len, texts_of(blocks))) <= _LONGEST_BLOCKS, "msg_blocks_too_long")


def _check(holds: object, word: str = "invalid_blocks") -> None:
    if not holds:
        raise RefusedBlocks(word)


def _text(value: Any, limit: int, *kinds: str) -> None:
    _check(isinstance(value, dict) and value.get("type") in kinds)
    _check(set(value) <= {"type", "text", "emoji" if value["type"] == "plain_text" else "verbatim"})
    _check(isinstance(value["text"], str) and 1 <= len(value["text"]) <= limit)


def _header(block: Mapping[str, Any]) -> None:
    _text(block["text"], 150, "plain_text")


def _section(block: Mapping[str, Any]) -> None:
    _check("text" in block or "fields" in block)
    if "text" in block:
        _text(block["text"], 3000, "mrkdwn", "plain_text")
    if "fields" in block:
        _check(1 <= len(block["fields"]) <= 10)
        for each in block["fields"]:
            _text(each, 2000, "mrkdwn", "plain_text")


def _context(block: Mapping[str, Any]) -> None:
    _check(1 <= len(block["elements"]) <= 10)
    for each in block["elements"]:
        _text(each, 3000, "mrkdwn", "plain_text")


def _actions(block: Mapping[str, Any]) -> None:
    elements = block["elements"]
    _check(1 <= len(elements) <= 25)
    _check(len({each["action_id"] for each in elements}) == len(elements))
    for each in elements:
        _check(each["type"] == "button" and set(each) <= _KEYS["button"])
        _text(each["text"], 75, "plain_text")
        _check(1 <= len(each["action_id"]) <= 255 and len(each.get("value", "")) <= 2000)
        _check(each.get("style", "primary") in {"primary", "danger"})


_BLOCKS = {
    "header": _header,
    "section": _section,
    "divider": lambda _: None,
    "context": _context,
    "actions": _actions,
}


def texts_of(value: Any) -> list[str]:
    """Every text in *value*, a message or a part of one."""
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [each for inner in value.values() if not isinstance(inner, str) for each in texts_of(inner)]
    return [each for inner in value for each in texts_of(inner)] if isinstance(value, list) else []


def markup_of(value: Any) -> list[str]:
    """What stands between < and > in *value*, where that is read as markup: links, mentions, commands."""
    if isinstance(value, dict):
        own = _MARKUP.findall(value["text"]) if value.get("type") == "mrkdwn" else []
        return own + [each for inner in value.values() for each in markup_of(inner)]
    return [each for inner in value for each in markup_of(inner)] if isinstance(value, list) else []


def buttons_of(message: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Action and value of each button."""
    rows = [block["elements"] for block in message.get("blocks", []) if block["type"] == "actions"]
    return [(each["action_id"], each["value"]) for row in rows for each in row]


@dataclass
class SlackServer:
    """What Slack keeps. *faults* come first, one for each request."""

    receiver: Receiver = field(init=False)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    posted: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    faults: list[Behaviour | str | None] = field(default_factory=list)

    @property
    def webhook_url(self) -> str:
        return self.receiver.url

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.receiver.port}/api"

    def message(self, number: int = 0) -> dict[str, Any]:
        """The message that was posted as the *number*th, as it is now."""
        return list(self.messages.values())[number]

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = self.receiver.requests[-1]
        self.calls.append(request.target.rpartition("/")[2])
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, str):
            await _json({"ok": False, "error": fault})(reader, writer)
        elif fault is not None:
            await fault(reader, writer)
        elif request.target.startswith("/services/"):
            await self._webhook(request)(reader, writer)
        else:
            await _json(self._call(request))(reader, writer)

    def _webhook(self, request: Request) -> Behaviour:
        try:
            message = request.json
            check_blocks(message.get("blocks", []))
        except RefusedBlocks as refused:
            return answer(400, str(refused).encode())
        if set(message) - {"text", "blocks"} or not message.get("text"):
            return answer(400, b"invalid_payload")
        self.posted.append(message)
        return answer(200, b"ok")

    def _call(self, request: Request) -> dict[str, Any]:
        method = request.target.rpartition("/")[2]
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return {"ok": False, "error": "invalid_auth"}
        if method not in _ARGUMENTS or not request.headers.get("content-type", "").startswith("application/json"):
            return {"ok": False, "error": "unknown_method"}
        message = request.json
        if set(message) - _ARGUMENTS[method]:
            return {"ok": False, "error": "invalid_arguments"}
        if not message.get("text") or len(message["text"]) > 4000:
            return {"ok": False, "error": "msg_too_long" if message.get("text") else "no_text"}
        try:
            check_blocks(message.get("blocks", []))
        except RefusedBlocks as refused:
            return {"ok": False, "error": str(refused)}
        return self._post(message) if method == "chat.postMessage" else self._update(message)

    def _post(self, message: dict[str, Any]) -> dict[str, Any]:
        if message["channel"] not in {"#alerts", CHANNEL}:
            return {"ok": False, "error": "channel_not_found"}
        if "thread_ts" in message and message["thread_ts"] not in self.messages:
            return {"ok": False, "error": "thread_not_found"}
        at = f"1800000000.{len(self.messages):06d}"
        self.messages[at] = message
        self.posted.append(message)
        return {"ok": True, "channel": CHANNEL, "ts": at, "message": message}

    def _update(self, message: dict[str, Any]) -> dict[str, Any]:
        if message["channel"] != CHANNEL:
            return {"ok": False, "error": "channel_not_found"}
        if message["ts"] not in self.messages:
            return {"ok": False, "error": "message_not_found"}
        kept = self.messages[message["ts"]].get("metadata")
        self.messages[message["ts"]] = {"metadata": kept, **message}
        return {"ok": True, "channel": CHANNEL, "ts": message["ts"], "message": message}


def _json(said: Mapping[str, Any]) -> Behaviour:
    # As Slack writes it: no spaces, all beyond ASCII escaped.
    return answer(200, json.dumps(said, separators=(",", ":")).encode(), content_type="application/json")


@asynccontextmanager
async def slack() -> AsyncIterator[SlackServer]:
    """Slack, for as long as the context lasts."""
    server = SlackServer()
    async with receiving(server) as server.receiver:
        yield server
