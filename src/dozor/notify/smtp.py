"""One conversation with a mail server that may be slow, hostile, or somebody else's.

Nothing secret is said before the server has proved by its certificate who it is, unless it is on this machine.
"""

import asyncio
import base64
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP, SMTPException, SMTPRecipientsRefused, SMTPResponse, SMTPResponseException
from aiosmtplib.errors import SMTPAuthenticationError, SMTPDataError, SMTPNotSupported, SMTPSenderRefused

from dozor.errors import ConfigurationError
from dozor.notify.plain import plain

_GOODBYE_SECONDS: Final = 1.0
_LONGEST_REASON: Final = 200
_SUBMISSION_PORT: Final = 587
_TLS_PORT: Final = 465
_RELAY_PORT: Final = 25
_REFUSED: Final[Mapping[type[Exception], str]] = {
    SMTPAuthenticationError: "the user name or password",
    SMTPSenderRefused: "the sender",
    SMTPDataError: "the mail",
}


class Starttls(StrEnum):
    """Whether a conversation that begins in the open goes on in TLS."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NEVER = "never"


class ConversationFailed(Exception):  # noqa: N818 - named for what is the case
    """The mail was not taken. The text says why, without secrets."""

    def __init__(self, reason: str, *, recoverable: bool = True) -> None:
        self.recoverable = recoverable
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, and how.

    Attributes:
        tls: whether TLS begins with the connection (`smtps`).
        starttls: otherwise: whether it is asked for.
        ca_file: certificates of the authorities to trust instead of the system's.
        timeout_seconds: for the whole conversation, name resolution included.
    """

    host: str
    port: int
    tls: bool
    starttls: Starttls
    username: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    timeout_seconds: float = 10.0

    @property
    def shown(self) -> str:
        """The server as it may be shown."""
        return f"{self.host}:{self.port}"


def parse_server(
    url: str, *, starttls: str | None = None, ca_file: Path | None = None, timeout_seconds: float = 10.0
) -> MailServer:
    """The server that *url* names: `smtp://[USER:PASSWORD@]HOST[:PORT]`, or `smtps://`.

    Raises:
        ConfigurationError: something in it is wrong; *key* is `smtp_url`, `starttls` or `ca_file`.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError("this is not a URL", key="smtp_url") from None
    if parts.scheme not in {"smtp", "smtps"} or not host:
        raise ConfigurationError("the URL must begin with smtp:// or smtps:// and name a host", key="smtp_url")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ConfigurationError(
            "nothing may stand behind the host and port; write / ? # in a password as %2F %3F %23", key="smtp_url"
        )
    username = unquote(parts.username) if parts.username else None
    if (username is None) != (not parts.password):
        raise ConfigurationError("a user needs a password, and a password a user", key="smtp_url")
    _check_ca_file(ca_file)
    tls = parts.scheme == "smtps"
    mode = _starttls(starttls, tls=tls, secret=username is not None, local=_is_local(host))
    usual = _TLS_PORT if tls else _SUBMISSION_PORT if mode is Starttls.REQUIRED else _RELAY_PORT
    return MailServer(
        host=host,
        port=port or usual,
        tls=tls,
        starttls=mode,
        username=username,
        password=unquote(parts.password or ""),
        ca_file=ca_file,
        timeout_seconds=timeout_seconds,
    )


def _starttls(given: str | None, *, tls: bool, secret: bool, local: bool) -> Starttls:
    if given is None:
        return Starttls.REQUIRED if secret or not local else Starttls.OPTIONAL
    try:
        mode = Starttls(given)
    except ValueError:
        known = ", ".join(Starttls)
        raise ConfigurationError(f"unknown value {given[:40]!r}; there are {known}", key="starttls") from None
    if mode is not Starttls.REQUIRED and secret and not (tls or local):
        raise ConfigurationError(
            "with a password, STARTTLS is required: anybody on the way could read it; leave this away, or use smtps://",
            key="starttls",
        )
    return mode


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_ca_file(path: Path | None) -> None:
    if path is None:
        return
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        said = "it holds no certificates" if isinstance(error, ssl.SSLError) else error
        raise ConfigurationError(f"{path} cannot be used: {said}", key="ca_file") from None


class Postman:
    """Hands in mails at *server*, each in a conversation of its own. Used on one event loop at a time."""

    def __init__(self, server: MailServer) -> None:
        self.server = server
        self._tls: ssl.SSLContext | None = None

    async def prepare(self) -> None:
        """Do now what the first mail would wait for: reading the certificates of all authorities takes a while."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=self.server.ca_file)

    async def hand_in(self, mail: EmailMessage, sender: str, recipients: Sequence[str]) -> Mapping[str, SMTPResponse]:
        """Hand in *mail*; the recipients that the server refused, with what it said of each.

        Raises:
            ConversationFailed: it was taken for nobody, and nobody in particular was refused.
        """
        client: SMTP | None = None
        try:
            async with asyncio.timeout(self.server.timeout_seconds):
                await self.prepare()
                client = self._client()
                await self._introduce(client)
                refused, _ = await client.send_message(mail, sender=sender, recipients=recipients)
        except SMTPRecipientsRefused as error:
            return {each.recipient: SMTPResponse(each.code, each.message) for each in error.recipients}
        except TimeoutError:
            raise ConversationFailed(
                f"{self.server.shown} did not take the mail within {self.server.timeout_seconds:g} s"
            ) from None
        except (SMTPException, OSError, ValueError) as error:
            raise self._failure(error) from None
        else:
            await _take_leave(client)
        finally:
            if client is not None:
                _hang_up(client)
        return refused

    def said(self, reply: SMTPResponse) -> str:
        """What the server said, in one line, without secrets."""
        return self._clean(f"{reply.code} {reply.message}")

    def _client(self) -> SMTP:
        server = self.server
        return SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            start_tls=False,  # asked for below, where what follows from the answer can be seen
            tls_context=self._tls,
            timeout=server.timeout_seconds,
            local_hostname=_own_name(),
        )

    async def _introduce(self, client: SMTP) -> None:
        server = self.server
        await client.connect()
        encrypted = server.tls
        if not encrypted and server.starttls is not Starttls.NEVER:
            await client.ehlo()
            encrypted = client.supports_extension("starttls")
            if encrypted:
                await client.starttls()
            elif server.starttls is Starttls.REQUIRED:
                raise ConversationFailed(
                    f"{server.shown} offers no STARTTLS, without which nothing is sent; use smtps://, "
                    "or, for a relay that you trust without it, set starttls to never"
                )
        if server.username is None:
            return
        if not encrypted and not _is_local(server.host):
            raise ConversationFailed(f"{server.shown} offers no TLS: the password was not sent")
        await client.login(server.username, server.password)

    def _failure(self, error: Exception) -> ConversationFailed:
        said = self._clean(error.message if isinstance(error, SMTPException) else str(error))
        recoverable = True
        match error:
            case SMTPAuthenticationError(code=code) | SMTPSenderRefused(code=code) | SMTPDataError(code=code):
                reason, recoverable = f" refused {_REFUSED[type(error)]}: {code} {said}", code < 500
            case SMTPResponseException(code=code) if code > 0:
                reason = f" answered {code} {said}"
            case SMTPNotSupported():
                reason, recoverable = f": {said}", False
            case _ if isinstance(error.__cause__ or error, ssl.SSLCertVerificationError):
                reason = f" has a certificate that is not trusted: {said}; an authority of your own is named by ca_file"
            case _:
                reason = f": {said or type(error).__name__}"
        return ConversationFailed(f"{self.server.shown}{reason}", recoverable=recoverable)

    def _clean(self, said: str) -> str:
        for secret in self._secrets():
            said = said.replace(secret, "***")
        return plain(said, _LONGEST_REASON)

    def _secrets(self) -> list[str]:
        """The password, and how it goes over the line: a server may repeat what it was told."""
        if self.server.username is None:
            return []
        user, password = self.server.username.encode(), self.server.password.encode()
        sent = (b"\0" + user + b"\0" + password, password)
        return [self.server.password, *(base64.b64encode(each).decode("ascii") for each in sent)]


def _own_name() -> str:
    """How to say EHLO: the machine's full name, where it has one; asking the DNS for it could take long."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() and " " not in name else "[127.0.0.1]"


async def _take_leave(client: SMTP) -> None:
    # The mail is taken: whatever becomes of the goodbye, it must not be sent again.
    with suppress(SMTPException, OSError, ValueError, TimeoutError):
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await client.quit()


def _hang_up(client: SMTP) -> None:
    # Closing TLS politely would wait half a minute for a server that says nothing.
    transport = client.transport
    client.close()
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
