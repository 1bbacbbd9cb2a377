"""Mail: each notification as a mail of its own, in text and HTML, through a server that takes mail by SMTP."""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import getaddresses
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from aiosmtplib import SMTPResponse

from dozor.clock import Clock
from dozor.errors import ConfigurationError, DeliveryError
from dozor.model.notification import Notification
from dozor.notify.email_message import mail
from dozor.notify.smtp import ConversationFailed, MailServer, Postman, parse_server

logger = logging.getLogger("dozor.notify")

_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True)
class EmailChannel:
    """Mail from *sender* to each address of *to*.

    Attributes:
        smtp_url: `smtp://[USER:PASSWORD@]HOST[:PORT]`, or `smtps://` where TLS begins with the connection.
        sender, to: addresses, with a name if wanted: `Dozor <dozor@example.com>`.
        starttls: `required`, `optional` or `never`; None: required where there is a password or the server is not on
            this machine. A server's certificate is always checked.
        ca_file: certificates of the authorities to trust instead of the system's.
        timeout_seconds: for the whole conversation with the server.
        send_resolved: whether ends are told.

    Raises:
        ConfigurationError: one of them is wrong.
    """

    kind: ClassVar[str] = "email"
    rate: ClassVar[tuple[float, int]] = (1.0, 10)

    smtp_url: str = field(repr=False, metadata={"secret": True})
    sender: str
    to: tuple[str, ...]
    starttls: str | None = None
    ca_file: Path | None = None
    timeout_seconds: float = 10.0
    send_resolved: bool = True

    def __post_init__(self) -> None:
        self._server()
        _address(self.sender, key="sender")
        if not self.to:
            raise ConfigurationError("at least one address is needed", key="to")
        for address in self.to:
            _address(address, key="to")

    def build(self, name: str, clock: Clock, locale: str) -> "EmailNotifier":
        """The notifier."""
        sender = _address(self.sender, key="sender")
        to = tuple(_address(address, key="to") for address in self.to)
        return EmailNotifier(name, Postman(self._server()), clock, sender=sender, to=to, locale=locale)

    def _server(self) -> MailServer:
        return parse_server(
            self.smtp_url, starttls=self.starttls, ca_file=self.ca_file, timeout_seconds=self.timeout_seconds
        )


def _address(given: str, *, key: str) -> Address:
    try:
        (name, specification), *others = getaddresses([given])
        address = Address(display_name=name, addr_spec=specification)
        address.domain.encode("idna")
    except (MessageError, ValueError, IndexError):
        address, others = Address(), []
    if not address.username or not address.domain or others or not given.isprintable():
        raise ConfigurationError(
            f"{given[:80]!r} is no address; write it like ops@example.com or 'Ops <ops@example.com>'", key=key
        )
    return address


class EmailNotifier:
    """Sends each notification as one mail to all its recipients. Used on one event loop at a time.

    One that the server refuses for good does not keep the mail from the others; one that it puts off gets the mail in the
    next attempt, which leaves out those that have it.
    """

    def __init__(
        self, name: str, postman: Postman, clock: Clock, *, sender: Address, to: tuple[Address, ...], locale: str
    ) -> None:
        self.name, self._postman, self._clock, self._locale = name, postman, clock, locale
        self._sender, self._to = sender, to
        self._progress: OrderedDict[str, _Progress] = OrderedDict()

    def __repr__(self) -> str:
        return f"EmailNotifier({self.target})"

    @property
    def target(self) -> str:
        """The server and the recipients."""
        return f"{', '.join(address.addr_spec for address in self._to)} by {self._postman.server.shown}"

    async def send(self, notification: Notification) -> None:
        """Hand in *notification* once.

        Raises:
            DeliveryError: nobody has it, or somebody is to get it later.
        """
        progress = self._progress.get(notification.id) or _Progress()
        asked = [address.addr_spec for address in self._to if address.addr_spec not in progress.settled]
        written = mail(notification, self._clock.date, self._locale, sender=self._sender, to=self._to)
        try:
            refused = await self._postman.hand_in(written, self._sender.addr_spec, asked)
        except ConversationFailed as failed:
            raise DeliveryError(self.name, str(failed), recoverable=failed.recoverable) from None
        self._judge(notification.id, progress.after(asked, refused), refused)

    async def prepare(self) -> None:
        """Do now what the first mail would wait for."""
        await self._postman.prepare()

    def _judge(self, notification_id: str, progress: "_Progress", refused: Mapping[str, SMTPResponse]) -> None:
        self._progress.pop(notification_id, None)
        if not refused:
            return
        said = "; ".join(f"{address}: {self._postman.said(reply)}" for address, reply in refused.items())
        reason = f"{self._postman.server.shown} refused recipients: {said}"
        if refused.keys() - progress.settled:
            self._progress[notification_id] = progress
            while len(self._progress) > _REMEMBERED:
                self._progress.popitem(last=False)
            raise DeliveryError(self.name, reason)
        if not progress.taken:
            raise DeliveryError(self.name, reason, recoverable=False)
        logger.warning("%s: %s; the others have the mail", self.name, reason)


class _Progress(NamedTuple):
    """Who has a mail already, and for whom it is hopeless."""

    taken: frozenset[str] = frozenset()
    hopeless: frozenset[str] = frozenset()

    @property
    def settled(self) -> frozenset[str]:
        """Who is not to be tried again."""
        return self.taken | self.hopeless

    def after(self, asked: Iterable[str], refused: Mapping[str, SMTPResponse]) -> "_Progress":
        """The progress after an attempt: what is refused with 4xx may be taken later."""
        hopeless = {address for address, reply in refused.items() if reply.code >= 500}
        return _Progress(self.taken.union(set(asked) - refused.keys()), self.hopeless | hopeless)
