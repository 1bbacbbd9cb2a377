"""Slack's two ways in, the Web API and incoming webhooks, and what it means when they refuse."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from dozor.clock import Clock
from dozor.errors import DeliveryError
from dozor.notify.http import ExchangeFailed, HttpReceiver, Reply, refusal
from dozor.notify.retry import retry_after_seconds

TIMEOUT_SECONDS: Final = 5.0
"""For one call: a notification may need several, and has ten seconds for all of them."""

BLOCKS_REFUSED: Final = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "invalid_payload", "msg_blocks_too_long", "invalid_attachments"}
)
"""What Slack says of blocks that it does not take; the same message may go as plain text."""

_INSTALLED: Final = "use the bot token (xoxb-…) of an app that is installed in the workspace"
_SCOPE: Final = "give the app the scope chat:write, and install it again"
_CHANNEL: Final = "check the channel's name or id, and invite the app to it with /invite"
_ARCHIVED: Final = "the channel is archived: choose another"
_WEBHOOK: Final = "the webhook was removed or disabled: make a new one in the app's settings"
_ADMINISTRATORS: Final = "the workspace's administrators do not let this app post there"
_FORM: Final = "Slack does not take the form of this message"

_ADVICE: Final = {
    "invalid_auth": _INSTALLED,
    "not_authed": _INSTALLED,
    "token_revoked": _INSTALLED,
    "token_expired": _INSTALLED,
    "account_inactive": _INSTALLED,
    "missing_scope": _SCOPE,
    "no_permission": _SCOPE,
    "not_allowed_token_type": _INSTALLED,
    "channel_not_found": _CHANNEL,
    "not_in_channel": _CHANNEL,
    "user_not_found": _CHANNEL,
    "is_archived": _ARCHIVED,
    "channel_is_archived": _ARCHIVED,
    "restricted_action": _ADMINISTRATORS,
    "restricted_action_read_only_channel": _ADMINISTRATORS,
    "restricted_action_thread_only_channel": _ADMINISTRATORS,
    "posting_to_general_channel_denied": _ADMINISTRATORS,
    "posting_to_channel_denied": _ADMINISTRATORS,
    "action_prohibited": _ADMINISTRATORS,
    "ekm_access_denied": _ADMINISTRATORS,
    "access_denied": _ADMINISTRATORS,
    "no_service": _WEBHOOK,
    "no_service_id": _WEBHOOK,
    "no_team": _WEBHOOK,
    "no_active_hooks": _WEBHOOK,
    "invalid_token": _WEBHOOK,
    **dict.fromkeys(BLOCKS_REFUSED, _FORM),
    "msg_too_long": _FORM,
    "no_text": _FORM,
    "invalid_arguments": _FORM,
}
_CODE: Final = re.compile(r"[a-z0-9_]{1,60}")
_TAKEN: Final = re.compile(rb'\s*\{\s*"ok":\s*true,\s*"channel":\s*"(\w+)",\s*"ts":\s*"([\d.]+)"')


class Refused(DeliveryError):  # noqa: N818 - named for what is the case
    """Slack understood, and declined. *code* is its word for the reason: `channel_not_found`.

    What is not known to be final is tried again: a word that arrives late is better than none.
    """

    def __init__(
        self,
        receiver: str,
        code: str,
        *,
        needed: str | None = None,
        recoverable: bool | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        self.code = code
        advice = _ADVICE.get(code)
        scope = f" (needed: {needed})" if needed and _CODE.fullmatch(needed.replace(":", "_").replace(",", "_")) else ""
        super().__init__(
            receiver,
            f"Slack refused it: {code}{scope}" + (f"; {advice}" if advice else ""),
            recoverable=advice is None if recoverable is None else recoverable,
            retry_after_seconds=retry_after_seconds,
        )


class WebApi:
    """`chat.postMessage` and `chat.update`, with a token. Used on one event loop at a time.

    Args:
        name: the channel's, for errors.
        url: where the methods are, without a slash at its end.
        timeout_seconds: for one call.
    """

    def __init__(
        self, name: str, token: str, url: str, clock: Clock, *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._name, self._clock = name, clock
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json; charset=utf-8"}
        self._methods = {
            method: HttpReceiver(
                f"{url.rstrip('/')}/{method}", key="api_url", timeout_seconds=timeout_seconds, secrets=(token,)
            )
            for method in ("chat.postMessage", "chat.update")
        }

    async def call(self, method: str, arguments: Mapping[str, object]) -> Mapping[str, Any]:
        """What *method* answers.

        Raises:
            Refused: Slack declined.
            DeliveryError: it did not answer, or not as Slack does.
        """
        http = self._methods[method]
        try:
            reply = await http.exchange("POST", headers=self._headers, content=msgspec.json.encode(arguments))
        except ExchangeFailed as error:
            raise DeliveryError(self._name, str(error)) from None
        if reply.status == 429:
            raise _too_many(self._name, reply, self._clock)
        if reply.status != 200:
            raise refusal(self._name, http.shown, reply, self._clock)
        answer = _answer(reply)
        if answer is None:
            raise DeliveryError(
                self._name, f"{http.shown} answered with what is not Slack's: {reply.text or 'nothing'}"
            )
        if answer.get("ok") is not True:
            raise Refused(self._name, _code(answer.get("error")), needed=_text(answer.get("needed")))
        return answer

    async def prepare(self) -> None:
        """Do now what the first call would wait for."""
        for http in self._methods.values():
            await http.prepare()

    async def aclose(self) -> None:
        """Close what is open."""
        for http in self._methods.values():
            await http.aclose()


class IncomingWebhook:
    """One address that takes messages for one channel of Slack's. Used on one event loop at a time."""

    def __init__(self, name: str, url: str, clock: Clock, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._name, self._clock = name, clock
        self._http = HttpReceiver(url, key="webhook_url", timeout_seconds=timeout_seconds)

    @property
    def shown(self) -> str:
        """The address as it may be shown."""
        return self._http.shown

    async def post(self, message: Mapping[str, object]) -> None:
        """Post *message* once.

        Raises:
            Refused: Slack declined.
            DeliveryError: it did not answer, or not as Slack does.
        """
        content = msgspec.json.encode(message)
        try:
            reply = await self._http.exchange("POST", headers={"content-type": "application/json"}, content=content)
        except ExchangeFailed as error:
            raise DeliveryError(self._name, str(error)) from None
        if reply.status == 429:
            raise _too_many(self._name, reply, self._clock)
        if 400 <= reply.status < 500 and _CODE.fullmatch(reply.text):
            raise Refused(self._name, reply.text, recoverable=False)
        if reply.status != 200:
            raise refusal(self._name, self._http.shown, reply, self._clock)
        # A body that broke off takes nothing from a 200; another one than Slack's was said by something in between.
        if reply.text not in {"ok", ""}:
            raise DeliveryError(self._name, f"{self._http.shown} answered with what is not Slack's: {reply.text}")

    async def prepare(self) -> None:
        """Do now what the first message would wait for."""
        await self._http.prepare()

    async def aclose(self) -> None:
        """Close what is open."""
        await self._http.aclose()


def _too_many(name: str, reply: Reply, clock: Clock) -> Refused:
    wait = retry_after_seconds(reply.headers.get("retry-after"), clock.now())
    return Refused(name, "ratelimited", retry_after_seconds=wait)


def _answer(reply: Reply) -> Mapping[str, Any] | None:
    try:
        answer = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Slack repeats the message in its answer, which may be cut off; where the message is stands before that.
        taken = _TAKEN.match(reply.body)
        return {"ok": True, "channel": taken[1].decode(), "ts": taken[2].decode()} if taken else None
    return answer if isinstance(answer, dict) and "ok" in answer else None


def _code(said: object) -> str:
    return said if isinstance(said, str) and _CODE.fullmatch(said) else "for a reason that it did not name"


def _text(said: object) -> str | None:
    return said if isinstance(said, str) else None
