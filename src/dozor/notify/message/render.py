"""A message as plain text."""

from collections.abc import Iterator

from dozor.notify.message.compose import AlertText, MessageText
from dozor.notify.message.texts import Headings


def text(message: MessageText) -> str:
    """The whole message, ending without a newline."""
    blocks = [message.subject]
    blocks += ["\n".join(_lines(alert, message.headings)) for alert in message.alerts]
    if message.more is not None:
        blocks.append(message.more)
    return "\n\n".join(blocks)


def _lines(alert: AlertText, headings: Headings) -> Iterator[str]:
    yield alert.summary
    for label, fact in alert.facts:
        yield f"{label}: {fact}"
    if alert.advice is not None:
        yield f"{headings.advice}: {alert.advice}"
    if alert.evidence:
        yield f"{headings.evidence}:"
    for seen in alert.evidence:
        yield f"  - {seen}"
    if alert.runbook is not None:
        yield f"{headings.runbook}: {alert.runbook}"
    if alert.link is not None:
        yield f"{headings.open}: {alert.link}"
