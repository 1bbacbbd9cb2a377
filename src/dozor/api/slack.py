"""slack/actions: what people press on buttons in Slack.

Slack signs what it sends, and the signature is the key: neither an API key nor a loopback address is asked for.
"""

import asyncio
import hashlib
import hmac
import logging
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.background import BackgroundTask

from dozor.api import problems
from dozor.api.auth import check_size, read_body
from dozor.api.backend import Backend
from dozor.api.problems import Problem
from dozor.errors import ActionForbidden, AlertNotFound, StoreUnavailable
from dozor.notify.plain import plain
from dozor.notify.slack_blocks import ACKNOWLEDGE, SILENCE, SILENCE_SECONDS, mrkdwn

logger = logging.getLogger("dozor.api")

# https://docs.slack.dev/authentication/verifying-requests-from-slack
_OLDEST_SECONDS: Final = 300.0
# Slack sends the whole message along, in which each letter beyond ASCII takes eight bytes.
_MAX_BODY_BYTES: Final = 512 * 1024
_REMEMBERED: Final = 1000
# Where Slack takes what is said to whoever pressed; nothing is sent elsewhere, whatever a request names.
HOOKS: Final = ("https://hooks.slack.com/", "https://hooks.slack-gov.com/")
_REPLY_SECONDS: Final = 5.0
_LONGEST_NAME: Final = 80


class Press(msgspec.Struct, frozen=True):
    """One button that somebody pressed.

    Attributes:
        at: Unix seconds, by Slack's clock.
        by: who did, as it is written down.
        respond_to: where an answer for their eyes only goes.
    """

    action: str
    alert_id: str
    by: str
    at: float
    respond_to: str


class Signatures:
    """Tells what Slack has signed, lately and for the first time. Used on one event loop at a time."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    def check(self, secret: str, timestamp: str, signature: str, body: bytes, now: float) -> None:
        """Return where *body* is Slack's.

        Raises:
            Problem: 401 where it is not, or was signed more than five minutes ago, or that far ahead of our clock.
        """
        base = b"v0:" + timestamp.encode("latin-1", "replace") + b":" + body
        expected = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode("latin-1", "replace")):
            raise _unsigned(
                "Slack's signature is missing or wrong: compare the signing secret with the app's in Slack."
            )
        if not timestamp.isdecimal() or abs(now - float(timestamp)) > _OLDEST_SECONDS:
            raise _unsigned("This was signed too long ago, or a clock is wrong: Slack's or that of this machine.")

    def first_time(self, signature: str) -> bool:
        """Whether *signature*, which was found right, has not come before."""
        if signature in self._seen:
            return False
        self._seen[signature] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def forget(self, signature: str) -> None:
        """Let *signature* come again: nothing came of it."""
        self._seen.pop(signature, None)


def _unsigned(detail: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": "X-Slack-Signature"})


def add_routes(router: APIRouter, backend: Backend, *, hooks: tuple[str, ...] = HOOKS) -> None:
    """Put slack/actions on *router*. *hooks*: the beginnings of addresses that answers may go to."""
    signatures = Signatures()

    @router.post(
        "/slack/actions",
        responses={200: {"description": "Taken."}, **problems.documented(401, 404, 413, 422)},
        summary="What Slack's buttons do",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/x-www-form-urlencoded": {
                        "schema": {
                            "type": "object",
                            "required": ["payload"],
                            "properties": {
                                "payload": {"type": "string", "description": "Slack's `block_actions`, as JSON."}
                            },
                        }
                    }
                },
            }
        },
    )
    async def slack_actions(request: Request) -> Response:
        """Slack asks this, as the app's Interactivity Request URL. Needs a signing secret to be set, and Slack's signature."""
        secret = backend.access.slack_signing_secret
        if secret is None:
            raise Problem(
                404, "No signing secret of Slack's is set (DOZOR_SLACK_SIGNING_SECRET), so there are no buttons."
            )
        check_size(request, _MAX_BODY_BYTES)
        body = await read_body(request, _MAX_BODY_BYTES)
        signature = request.headers.get("x-slack-signature", "")
        timestamp = request.headers.get("x-slack-request-timestamp", "")
        signatures.check(secret, timestamp, signature, body, backend.clock.now().timestamp())
        press = read_press(body, at=float(timestamp))
        if press is None or not signatures.first_time(signature):
            return Response()
        try:
            said = await _act(backend, press)
        except BaseException:
            signatures.forget(signature)
            raise
        if not press.respond_to.startswith(hooks):
            return Response()
        # Slack waits for us no longer than three seconds; what is said to whoever pressed comes after that.
        return Response(background=BackgroundTask(_tell, backend, press.respond_to, said))


def read_press(body: bytes, *, at: float) -> Press | None:
    """The button in Slack's *body*, which was sent at *at*; None where it is none of ours, which is no mistake.

    Raises:
        Problem: 422 for what is not of Slack's form.
    """
    try:
        payload = msgspec.json.decode(parse_qs(body.decode(), strict_parsing=True)["payload"][0])
    except (KeyError, ValueError, msgspec.DecodeError):
        raise Problem(422, "This is not what Slack sends for a button: a form with a payload in JSON.") from None
    actions = payload.get("actions") if isinstance(payload, dict) else None
    if not isinstance(payload, dict) or payload.get("type") != "block_actions" or not isinstance(actions, list):
        return None
    for action in actions:
        if isinstance(action, dict) and action.get("action_id") in {ACKNOWLEDGE, SILENCE}:
            respond_to = payload.get("response_url")
            return Press(
                action["action_id"],
                str(action.get("value", "")),
                _who(payload.get("user")),
                at,
                respond_to if isinstance(respond_to, str) else "",
            )
    return None


def _who(user: object) -> str:
    known: Mapping[str, Any] = user if isinstance(user, dict) else {}
    name = known.get("username") or known.get("name") or known.get("id") or "somebody"
    return f"slack:{plain(str(name), _LONGEST_NAME)}"


async def _act(backend: Backend, press: Press) -> str:
    """Do it, as far as the alert's state allows; what to say about it."""
    try:
        if press.action == ACKNOWLEDGE:
            done = "Acknowledged"
            _, durable = await backend.acknowledge(press.alert_id, by=press.by, comment=None)
        else:
            done = "Silenced for 1 h"
            # Counted from the press, so that the same request, should it come again, sets the same end.
            ago = max(0.0, backend.clock.now().timestamp() - press.at)
            until = backend.clock.timestamp() - ago + SILENCE_SECONDS
            _, durable = await backend.silence(press.alert_id, until=until, by=press.by, comment=None)
    except (ActionForbidden, AlertNotFound) as error:
        said = str(error)
        return f"{said[:1].upper()}{said[1:]}."
    return done + (
        ", for everyone." if durable else ", but Dozor's database does not answer: it is kept in memory so far."
    )


async def _tell(backend: Backend, url: str, said: str) -> None:
    """Have *said* sent from Dozor's thread, not from the application's event loop."""
    with suppress(StoreUnavailable):  # Dozor is being stopped
        await backend.in_dozor(partial(_begin, url, said))


_replies: Final[set["asyncio.Task[None]"]] = set()


def _begin(url: str, said: str) -> None:
    task = asyncio.get_running_loop().create_task(_reply(url, said), name="dozor.slack.reply")
    _replies.add(task)  # the loop itself keeps no hold of its tasks
    task.add_done_callback(_replies.discard)


async def _reply(url: str, said: str) -> None:
    from dozor.notify.http import ExchangeFailed, HttpReceiver  # noqa: PLC0415 - an HTTP client takes megabytes

    http = HttpReceiver(url, key="response_url", timeout_seconds=_REPLY_SECONDS)
    message = {"response_type": "ephemeral", "replace_original": False, "text": mrkdwn(said, 1000)}
    try:
        reply = await http.exchange(
            "POST", headers={"content-type": "application/json"}, content=msgspec.json.encode(message)
        )
        if reply.status != 200:
            logger.debug("Slack did not take the answer to a button: %d %s", reply.status, reply.text)
    except ExchangeFailed as error:
        logger.debug("Slack did not take the answer to a button: %s", error)
    finally:
        await http.aclose()
