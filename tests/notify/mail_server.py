"""Mail servers on real sockets: a well-behaved one in a thread, and one that says what a test wants, as late as it wants."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.serving import free_port

USER, PASSWORD = "dozor", "s3cr3t/p?ss"


@dataclass
class Mailbox:
    """Takes mail, and answers each recipient and the whole as the test says."""

    recipients: dict[str, str] = field(default_factory=dict)
    data: str = "250 taken"
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    port: int = 0
    open: set[SMTP] = field(default_factory=set)

    # The names are those that aiosmtpd looks for.
    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.recipients.get(address, "250 ok")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.mails.append((list(envelope.rcpt_tos), message))
            self.encrypted.append(session.ssl is not None)
        return self.data

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth: Any) -> AuthResult:
        assert isinstance(auth, LoginPassword)
        good = (auth.login, auth.password) == (USER.encode(), PASSWORD.encode())
        self.logins.append("good" if good else "bad")
        return AuthResult(success=good, handled=False, message=None if good else "535 5.7.8 not with that password")


class _Conversation(SMTP):
    """Known to its mailbox for as long as it lasts."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.open.discard(self)
        super().connection_lost(error)


class _Server(Controller):
    def factory(self) -> SMTP:
        return _Conversation(self.handler, **self.SMTP_kwargs)


@asynccontextmanager
async def mail_server(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, login: bool = False, **mailbox: Any
) -> AsyncIterator[Mailbox]:
    """aiosmtpd in a thread, for as long as the context lasts."""
    box = Mailbox(port=free_port(), **mailbox)
    controller = _Server(
        box,
        hostname="127.0.0.1",
        port=box.port,
        ssl_context=tls,
        tls_context=starttls,
        require_starttls=starttls is not None,
        authenticator=box.authenticate if login else None,
        auth_required=login,
        auth_require_tls=starttls is not None,
        decode_data=False,
    )
    controller.start()
    try:
        yield box
    finally:
        # What is open when the loop ends is never closed.
        deadline = time.monotonic() + 5
        while box.open and time.monotonic() < deadline:
            await asyncio.sleep(0.002)
        controller.stop()


@dataclass
class Scripted:
    """What a server says: its greeting, and an answer to each command by its first word; what it heard."""

    greeting: bytes = b"220 mail ESMTP\r\n"
    answers: dict[str, bytes] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    port: int = 0
    hangs_after: str | None = None
    drips: bool = False
    closes_after: str | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await self._talk(reader, writer)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.drips:
            while True:
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(0.01)
        await self._say(self.greeting, writer)
        while self.greeting and (line := await reader.readline()):
            command = line.decode("utf-8", "replace").strip()
            self.heard.append(command)
            verb = command.split(" ")[0].split(":")[0].upper()
            if verb == self.hangs_after:
                break
            if verb == self.closes_after:
                return
            answer = self.answers.get(verb, {"EHLO": b"250 mail\r\n", "DATA": b"354 go\r\n"}.get(verb, b"250 ok\r\n"))
            await self._say(answer, writer)
            if verb == "STARTTLS" and answer.startswith(b"220"):
                break
            if verb == "DATA" and answer.startswith(b"354"):
                await reader.readuntil(b"\r\n.\r\n")
                if self.hangs_after == "MESSAGE":
                    break
                await self._say(self.answers.get("MESSAGE", b"250 taken\r\n"), writer)
        await reader.read()

    async def _say(self, answer: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()


@asynccontextmanager
async def scripted_server(**script: Any) -> AsyncIterator[Scripted]:
    """A server on a free port that follows *script*."""
    scripted = Scripted(**script)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await scripted.serve(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
