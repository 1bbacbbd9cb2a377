"""A message in Slack's Block Kit, within its limits: https://docs.slack.dev/reference/block-kit/blocks.

All text is escaped, and marked `verbatim`, so that nothing in a label or a statement becomes a mention, a link or a name.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dozor.model.alert import AlertState, Severity
from dozor.notify.message import AlertText, MessageText

ACKNOWLEDGE: Final = "dozor_acknowledge"
SILENCE: Final = "dozor_silence"
"""The `action_id` of the buttons; their `value` is the alert's id."""
SILENCE_SECONDS: Final = 3600.0

FULL_ALERTS: Final = 5
"""How many alerts are shown whole, with buttons; those after them have a line each."""
MOST_ALERTS: Final = 15
"""How many alerts a message shows at all."""

Block = dict[str, Any]

# Slack's own limits: 150 characters in a header, 2000 in a field, 3000 in a section, 50 blocks. That of all blocks together
# is not documented; messages of 11,300 characters were refused: https://github.com/slackapi/bolt-js/issues/2867
_HEADER: Final = 150
_ALL: Final = 8000
_BRIEF: Final = 1800
_FALLBACK: Final = 500

_HEAD: Final = 700
_FACT: Final = 300
_MOST_FACTS: Final = 10
_ADVICE: Final = 700
_EVIDENCE: Final = 1500
_LINE: Final = 250
_URL: Final = 1000
_LEAST: Final = 40

_BY_SEVERITY: Final = {
    Severity.INFO: ":large_blue_circle:",
    Severity.WARNING: ":large_orange_circle:",
    Severity.CRITICAL: ":red_circle:",
    Severity.EMERGENCY: ":rotating_light:",
}
_BY_STATE: Final = {
    AlertState.ACKNOWLEDGED: ":eyes:",
    AlertState.SILENCED: ":no_bell:",
    AlertState.RESOLVED: ":white_check_mark:",
}
_BUTTONS: Final[Mapping[AlertState, tuple[str, ...]]] = {
    AlertState.FIRING: (ACKNOWLEDGE, SILENCE),
    AlertState.ACKNOWLEDGED: (SILENCE,),
}


def fallback(message: MessageText) -> str:
    """What stands in notifications of the system and is read aloud, where blocks are not."""
    first = f": {message.alerts[0].summary}" if message.alerts else ""
    return mrkdwn(message.subject + first, _FALLBACK)


def blocks(message: MessageText, *, overview: str | None = None, buttons: bool = False) -> list[Block]:
    """The whole message: its first alerts in full, others in a line each.

    Args:
        message: what to say.
        overview: where Dozor shows all alerts, for those that have no room here.
        buttons: whether its alerts can be acknowledged and silenced from here.
    """
    full, brief = message.alerts[:FULL_ALERTS], message.alerts[FULL_ALERTS:]
    found = [_header(message)]
    left = _ALL - _HEADER - (_BRIEF if brief else 0)
    for number, alert in enumerate(full):
        room = _Room(left // (len(full) - number))
        left -= room.left
        if number:
            found.append({"type": "divider"})
        found += _alert(alert, message, room, buttons=buttons)
        left += room.left
    if brief:
        found.append(_section(_lines(brief, _Room(_BRIEF))))
    if brief or message.more:
        found += _context(" ".join(filter(None, (_escaped(message.more), _link(overview, message.headings.open)))))
    return found


def reply(message: MessageText) -> list[Block]:
    """What is said below a message that shows these alerts already: the news in short."""
    room = _Room(_BRIEF)
    head = f"*{room.fit(message.subject, _HEAD)}*"
    said = [head, _lines(message.alerts, room), _escaped(message.more)]
    return [_section("\n".join(filter(None, said)))]


def mrkdwn(text: str, limit: int) -> str:
    """*text* so that Slack shows it as it is, in at most *limit* characters; an entity is never cut in two."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if len(escaped) <= limit:
        return escaped
    cut = escaped[: limit - 1]
    begun = cut.rfind("&")
    if begun >= 0 and ";" not in cut[begun:]:
        cut = cut[:begun]
    return cut.rstrip() + "…"


class _Room:
    """So many characters are left."""

    def __init__(self, left: int) -> None:
        self.left = left

    def fit(self, text: str, limit: int) -> str:
        """*text* escaped and cut to *limit* and to what is left; empty where that is too little to be read."""
        if self.left < min(_LEAST, len(text)):
            return ""
        written = mrkdwn(text, min(limit, self.left))
        self.left -= len(written)
        return written


def _header(message: MessageText) -> Block:
    mark = _mark(message.alerts[0]) + " " if message.alerts else ""
    # Plain text, in which nothing is escaped.
    said = f"{mark}{message.subject}"
    shown = said if len(said) <= _HEADER else said[: _HEADER - 1] + "…"
    return {"type": "header", "text": {"type": "plain_text", "text": shown, "emoji": True}}


def _alert(alert: AlertText, message: MessageText, room: _Room, *, buttons: bool) -> Iterator[Block]:
    headings = message.headings
    yield _section(
        f"{_mark(alert)} *{room.fit(alert.rule, _FACT)}* ({alert.state_text})\n{room.fit(alert.summary, _HEAD)}"
    )
    yield from _facts(alert, room)
    if alert.advice and (advice := room.fit(alert.advice, _ADVICE)):
        yield _section(f"*{headings.advice}*\n{advice}")
    # A backtick would end the code.
    if alert.evidence and (seen := room.fit("\n".join(alert.evidence).replace("`", "'"), _EVIDENCE)):
        yield _section(f"*{headings.evidence}*\n```{seen}```")
    links = (_link(alert.link, headings.open), _link(alert.runbook, headings.runbook))
    yield from _context("  |  ".join(filter(None, links)))
    words = {ACKNOWLEDGE: headings.acknowledge, SILENCE: headings.silence}
    offered = _BUTTONS.get(alert.state, ()) if buttons else ()
    if offered:
        yield {"type": "actions", "elements": [_button(action, words[action], alert.id) for action in offered]}


def _facts(alert: AlertText, room: _Room) -> Iterator[Block]:
    written = [f"*{label}*\n{shown}" for label, fact in alert.facts if (shown := room.fit(fact, _FACT))]
    if written:
        yield {"type": "section", "fields": [_markup(each) for each in written[:_MOST_FACTS]]}


def _lines(alerts: tuple[AlertText, ...], room: _Room) -> str:
    share = min(_LINE, room.left // max(1, len(alerts)))
    lines = (
        f"{_mark(each)} *{room.fit(each.rule, share // 3)}*: {room.fit(each.summary, share // 2)}" for each in alerts
    )
    return "\n".join(lines)


def _mark(alert: AlertText) -> str:
    return _BY_STATE.get(alert.state) or _BY_SEVERITY[alert.severity]


def _button(action: str, words: str, alert_id: str) -> Block:
    button: Block = {
        "type": "button",
        "action_id": action,
        "value": alert_id,
        "text": {"type": "plain_text", "text": words, "emoji": True},
    }
    return {**button, "style": "primary"} if action == ACKNOWLEDGE else button


def _link(url: str | None, words: str) -> str:
    usable = url and url.lower().startswith(("http://", "https://")) and not set(url) & set("<>| ") and len(url) <= _URL
    return f"<{url.replace('&', '&amp;')}|{words}>" if url and usable else ""


def _escaped(text: str | None) -> str:
    return mrkdwn(text or "", _FACT)


def _context(text: str) -> Iterator[Block]:
    if text:
        yield {"type": "context", "elements": [_markup(text)]}


def _section(text: str) -> Block:
    return {"type": "section", "text": _markup(text)}


def _markup(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
