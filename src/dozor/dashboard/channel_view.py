"""The page of channels: who is told, whether it arrives, and what was given up."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from dozor.clock import Clock
from dozor.dashboard.html import Html, el, join, told
from dozor.dashboard.parts import ago, number, shape, table
from dozor.database import OutboxRow, Page
from dozor.notify import ChannelCondition, ChannelState
from dozor.overview.words import duration

MOST_LETTERS: Final = 50
_TONE: Final = {
    ChannelCondition.OK: ("healthy", "Works"),
    ChannelCondition.FAILING: ("warning", "Failing"),
    ChannelCondition.OPEN: ("critical", "Left alone"),
    ChannelCondition.UNUSED: ("unknown", "Not used yet"),
}


def channel_page(
    channels: Sequence[ChannelState],
    dead: Page[OutboxRow] | None,
    clock: Clock,
    *,
    base: str = "./",
    said: str | None = None,
) -> Html:
    """The body of the page.

    *dead* None: the store does not answer; *base* is the way to the page's root; *said*: what was just done.
    """
    at = clock.timestamp()
    return join(
        el("p", el("a", "← Overview", href=base)),
        el("p", said, class_="said", role="status") if said else None,
        el("h1", "Who is told"),
        el("section", el("h2", "Channels"), _channels(channels, clock, at, base)),
        el("section", el("h2", "Given up"), _letters(dead, clock, at, base)),
    )


def _channels(channels: Sequence[ChannelState], clock: Clock, at: float, base: str) -> Html:
    heads = [
        ("Channel", ""),
        ("State", ""),
        ("Sent", "num"),
        ("Waiting", "num"),
        ("Given up", "num"),
        ("Last arrived", ""),
        ("Last error", ""),
        ("", ""),
    ]
    rows = []
    for channel in channels:
        tone, words = _TONE[channel.state]
        until = f"for another {duration(channel.retry_at - at)}" if channel.retry_at and channel.retry_at > at else None
        rows.append([
            join(told(channel.name, 100), el("small", told(channel.target or channel.kind, 200))),
            join(
                el("span", shape(tone), words, class_=f"status {tone}"),
                el("small", until) if until and channel.state is ChannelCondition.OPEN else None,
            ),
            number(float(channel.sent)),
            number(float(channel.waiting)),
            number(float(channel.dead)),
            ago(clock, channel.last_success_at, at),
            _last_error(channel, clock, at),
            el(
                "form",
                el("button", "Send a test", class_="quiet"),
                method="post",
                action=f"{base}channel/{quote(channel.name, safe='')}/test",
            ),
        ])  # fmt: skip
    hint = "Figures since Dozor started. A test goes at once, past all that waits, and says that it is one."
    return join(table("Channels", heads, rows), el("p", hint, class_="hint"))


def _last_error(channel: ChannelState, clock: Clock, at: float) -> Html:
    if not channel.last_error:
        return el("span", "none", class_="dim")
    return join(told(channel.last_error, 300), el("small", ago(clock, channel.last_failure_at, at)))


def _letters(dead: Page[OutboxRow] | None, clock: Clock, at: float, base: str) -> Html:
    if dead is None:
        return el("p", "Dozor's store does not answer now, and it alone knows.", class_="hint")
    if not dead.items:
        return el("p", shape("healthy"), "Nothing was given up.", class_="empty good")
    heads = [("About", ""), ("For", ""), ("Written", ""), ("Attempts", "num"), ("Why it was given up", ""), ("", "")]
    rows = [
        [
            join(
                told(row.notification.group, 120),
                el("small", f"{row.notification.occasion.value}, {_count(row)}"),
            ),
            told(row.receiver, 100),
            ago(clock, row.created_at, at),
            number(float(row.attempts)),
            join(told(row.last_error or "not known", 300), el("small", ago(clock, row.settled_at, at))),
            el(
                "form",
                el("button", "Send again", class_="quiet"),
                method="post",
                action=f"{base}notification/{row.id}/retry",
            ),
        ]
        for row in dead.items
    ]
    every = el("form", el("button", f"Send all {dead.total} again"), method="post", action=f"{base}notification/retry")
    shown = f"The {len(rows)} newest of {dead.total}." if dead.total > len(rows) else None
    return join(
        table("Given up", heads, rows),
        el("div", every, el("span", shown, class_="dim") if shown else None, class_="actions"),
    )


def _count(row: OutboxRow) -> str:
    count = len(row.notification.alerts) + row.notification.omitted
    return f"{count} alert{'' if count == 1 else 's'}"
