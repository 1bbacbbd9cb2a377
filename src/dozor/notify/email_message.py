"""A notification as a mail: text and HTML, threaded by alert."""

import re
from collections.abc import Iterator, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Final

from dozor.model.alert import AlertState, Severity
from dozor.model.notification import Notification
from dozor.notify.message import AlertText, Dates, Headings, MessageText, compose, text

_MOST_REFERENCES: Final = 20
_LONGEST_TOKEN: Final = 120
_NOT_IN_A_TOKEN: Final = re.compile(r"[^A-Za-z0-9._-]")

# Each is readable on white and on black: what the reader's program makes of the page is its own affair.
_COLOURS: Final = {
    Severity.INFO: "#3b82c4",
    Severity.WARNING: "#b7791f",
    Severity.CRITICAL: "#d64545",
    Severity.EMERGENCY: "#a855c7",
}
_ENDED: Final = "#2f9e5f"
# Of the reader's own colour; where that is not known, it is simply as strong as the rest.
_DIM: Final = "opacity:.7"
_PAGE: Final = (
    '<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
    '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">'
    "<title>{subject}</title></head>"
    '<body style="margin:0;padding:16px;font:15px/1.45 system-ui,sans-serif">'
    '<div style="max-width:640px;overflow-wrap:anywhere"><h1 style="font-size:18px;margin:0 0 4px">{title}</h1>'
    '<p style="margin:0 0 16px;{dim}">{speaker}</p>{body}</div></body></html>'
)


def mail(
    notification: Notification, date: Dates, locale: str, *, sender: Address, to: Sequence[Address]
) -> EmailMessage:
    """*notification* as a mail from *sender*. Made again, it has the same `Message-ID`: by that, a repetition is known."""
    composed = compose(notification, date, locale)
    made = EmailMessage(policy=SMTP)
    made["Subject"] = composed.subject
    made["From"] = sender
    made["To"] = to
    made["Date"] = format_datetime(date(notification.created_at))
    made["Message-ID"] = _message_id(notification.id, sender)
    if roots := [_message_id(f"alert.{alert.id}", sender) for alert in notification.alerts[:_MOST_REFERENCES]]:
        # A mail that was never sent: those that refer to it are one thread, in whatever order they come.
        made["In-Reply-To"] = roots[0]
        made["References"] = " ".join(roots)
    made["Auto-Submitted"] = "auto-generated"
    made["X-Auto-Response-Suppress"] = "All"
    made["X-Dozor-Notification-Id"] = _token(notification.id)
    made.set_content(text(composed))
    made.add_alternative(_page(composed), subtype="html")
    return made


def _message_id(name: str, sender: Address) -> str:
    return f"<{_token(name)}@{_token(sender.domain.encode('idna').decode('ascii'))}>"


def _token(given: str) -> str:
    """*given* as it may stand in a header's token; ids of Dozor's own stay as they are."""
    return _NOT_IN_A_TOKEN.sub("-", given)[:_LONGEST_TOKEN] or "none"


def _page(message: MessageText) -> str:
    speaker = f"{message.service} ({message.environment})" if message.environment else message.service
    body = "".join(_alert(alert, message.headings) for alert in message.alerts)
    if message.more is not None:
        body += f"<p>{escape(message.more)}</p>"
    return _PAGE.format(
        language=message.language,
        subject=escape(message.subject),
        title=escape(message.title),
        speaker=escape(speaker),
        dim=_DIM,
        body=body,
    )


def _alert(alert: AlertText, headings: Headings) -> str:
    colour = _ENDED if alert.state is AlertState.RESOLVED else _COLOURS[alert.severity]
    return (
        f'<div style="border-left:4px solid {colour};padding:2px 0 2px 12px;margin:0 0 20px">'
        f'<p style="margin:0 0 6px"><strong>{escape(alert.summary)}</strong></p>{"".join(_parts(alert, headings))}</div>'
    )


def _parts(alert: AlertText, headings: Headings) -> Iterator[str]:
    rows = "".join(
        f'<tr><td style="padding:1px 12px 1px 0;{_DIM};vertical-align:top;white-space:nowrap">{escape(label)}</td>'
        f'<td style="padding:1px 0">{escape(fact)}</td></tr>'
        for label, fact in alert.facts
    )
    yield f'<table role="presentation" style="border-spacing:0;font-size:14px">{rows}</table>'
    if alert.advice is not None:
        yield f'<p style="margin:8px 0"><strong>{escape(headings.advice)}:</strong> {escape(alert.advice)}</p>'
    if alert.evidence:
        seen = "".join(f"<li>{escape(line)}</li>" for line in alert.evidence)
        yield f'<p style="margin:8px 0 2px"><strong>{escape(headings.evidence)}:</strong></p>'
        yield f'<ul style="margin:0;padding-left:20px;font:13px/1.5 ui-monospace,monospace">{seen}</ul>'
    links = [(alert.link, headings.open), (alert.runbook, headings.runbook)]
    shown = " · ".join(f'<a href="{escape(address)}">{escape(words)}</a>' for address, words in links if address)
    if shown:
        yield f'<p style="margin:8px 0 0">{shown}</p>'
