"""`dozor alerts`, `ack`, `resolve`, `note`, `history`: what fires, what fired, and what people do about it."""

import getpass
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

from dozor.cli.client import Client, Document, Parameters
from dozor.cli.moments import ago
from dozor.cli.outcome import Refused
from dozor.cli.output import elapsed, moment, print_json, print_table, say, warn, zone

SHORT_ID: Final = 8
"""So much of an id is shown: with random ids, enough to be the only one."""
_SHOWN_CANDIDATES: Final = 5
# How many alerts of the history a shortened id is looked for in.
_SEARCHED: Final = 5000


def list_active(client: Client, wanted: Parameters, *, pending: bool, as_json: bool) -> None:
    """Print what has not ended, worst first."""
    parameters = {**wanted, "pending": "true" if pending else None}
    alerts = list(client.entries("alerts/active", "alerts", parameters))
    if as_json:
        print_json({"alerts": alerts, "total": len(alerts)})
    elif not alerts:
        say("No alerts." if not any(wanted.values()) else "No alert matches.")
    else:
        print_alerts(alerts)


def print_alerts(alerts: Iterable[Document]) -> None:
    """Print *alerts* that have not ended as a table."""
    print_table(
        ["id", "state", "severity", "rule", "where", "since", "value", "about"],
        [
            [
                alert["id"][:SHORT_ID],
                alert["state"],
                alert["severity"],
                alert["rule"],
                where(alert),
                elapsed(alert["fired_at"] or alert["active_at"]),
                _value(alert),
                _about(alert),
            ]
            for alert in alerts
        ],
    )


def acknowledge(client: Client, beginning: str, *, by: str | None, comment: str | None, as_json: bool) -> None:
    """Say that somebody has it."""
    name = actor(by)
    alert = _act(client, beginning, "acknowledge", {"by": name, "comment": comment})
    tell(alert, f"Acknowledged {described(alert)}{f' as {name}' if name else ''}.", as_json=as_json)


def resolve(client: Client, beginning: str, *, by: str | None, comment: str | None, as_json: bool) -> None:
    """Close it by hand."""
    alert = _act(client, beginning, "resolve", {"by": actor(by), "comment": comment})
    tell(alert, f"Resolved {described(alert)}.", as_json=as_json)


def note(client: Client, beginning: str, text: str, *, by: str | None, as_json: bool) -> None:
    """Write *text* into the alert's timeline."""
    alert = find_alert(client, beginning)
    written = client.post(f"alerts/{alert['id']}/notes", {"text": text, "by": actor(by)})
    tell(written, f"Noted with {described(alert)}.", as_json=as_json)


def show(client: Client, beginning: str, *, as_json: bool) -> None:
    """Print one alert with its timeline."""
    alert = client.get(f"alerts/{find_alert(client, beginning)['id']}")
    if as_json:
        print_json(alert)
        return
    print_alerts([alert])
    if alert.get("timeline") is None:
        say("What happened to it is not known now: the store does not answer.")
    for entry in alert.get("timeline") or ():
        about = ": ".join(filter(None, [entry.get("by"), entry.get("comment")]))
        say(f"{moment(entry['at'])} {entry['event']}{f' ({about})' if about else ''}")


def history(client: Client, wanted: Parameters, *, since: str | None, limit: int, as_json: bool) -> None:
    """Print the alerts that fired since then, newest first, and how many there are in all."""
    after = None if since is None else ago(since, datetime.now().astimezone(), key="--since").isoformat()
    alerts: list[Document] = []
    total = 0
    for page in client.pages("alerts/history", {**wanted, "since": after, "limit": min(limit, 1000)}):
        alerts += page["alerts"]
        total = page["total"]
        if len(alerts) >= limit:
            break
    del alerts[limit:]
    if as_json:
        print_json({"alerts": alerts, "total": total})
        return
    if not alerts:
        say("No alert fired.")
        return
    columns = ["id", f"fired ({zone()})", "lasted", "state", "severity", "rule", "where", "about"]
    print_table(columns, [_ended(alert) for alert in alerts])
    if total > len(alerts):
        warn(f"{len(alerts)} of {total}; --limit shows more.")


def find_alert(client: Client, beginning: str) -> Document:
    """The one alert whose id begins so, of those that have not ended, or else of those that have.

    Raises:
        Refused: there is none, or there are several.
    """
    active = client.entries("alerts/active", "alerts", {"pending": "true"})
    found = one_of(active, beginning, "alerts")
    if found is None:
        found = one_of(islice(client.entries("alerts/history", "alerts"), _SEARCHED), beginning, "alerts")
    if found is None:
        raise Refused(f"no alert's id begins with {beginning!r}; `dozor alerts` and `dozor history` list them")
    return found


def one_of(entries: Iterable[Document], beginning: str, what: str) -> Document | None:
    """The one of *entries* whose id begins so; None where there is none. Raises Refused where there are several."""
    found = [entry for entry in entries if beginning and str(entry["id"]).startswith(beginning)]
    exact = [entry for entry in found if entry["id"] == beginning]
    if len(found) > 1 and not exact:
        ids = ", ".join(str(entry["id"]) for entry in found[:_SHOWN_CANDIDATES])
        more = ", ..." if len(found) > _SHOWN_CANDIDATES else ""
        raise Refused(f"the ids of {len(found)} {what} begin with {beginning!r}: {ids}{more}; give more of it")
    return next(iter(exact or found), None)


def tell(answer: Document, sentence: str, *, as_json: bool) -> None:
    """Print what an action did."""
    if as_json:
        print_json(answer)
    else:
        say(sentence)
    if answer.get("durable") is False:
        warn("Dozor's store does not answer: this holds while Dozor runs, and is written once the store is back.")


def described(alert: Document) -> str:
    """Which alert it is, in a few words."""
    place = where(alert)
    return f"{alert['rule']}{f' of {place}' if place else ''} ({alert['id'][:SHORT_ID]})"


def where(alert: Document) -> str:
    """The labels that tell the alerts of a rule apart."""
    labels = {name: value for name, value in alert["labels"].items() if name not in {"alertname", "component"}}
    return " ".join(f"{name}={value}" for name, value in sorted(labels.items()))


def actor(by: str | None) -> str | None:
    """Who acts: *by*, or the user's login name, where there is one."""
    if by is not None:
        return by or None
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return None


def filters(
    *, severity: str | None = None, rule: str | None = None, match: Sequence[str] | None = None
) -> dict[str, Any]:
    """The parameters of a list of alerts."""
    return {"severity": severity, "rule": rule, "filter": list(match) if match else None}


def _act(client: Client, beginning: str, action: str, body: dict[str, object]) -> Document:
    return client.post(f"alerts/{find_alert(client, beginning)['id']}/{action}", body)


def _value(alert: Document) -> str:
    value = "-" if alert.get("value") is None else f"{alert['value']:.6g}"
    return f"{value} ({alert['threshold']})" if alert.get("threshold") else value


def _about(alert: Document) -> str:
    """What people and other alerts have to do with it."""
    parts = []
    if owned := alert.get("acknowledged"):
        parts.append(f"acknowledged by {owned.get('by') or 'somebody'}")
    if silenced := alert.get("silenced"):
        until = moment(silenced["until"]) if silenced.get("until") else "it resolves"
        parts.append(f"silenced until {until} by {silenced.get('by') or 'somebody'}")
    if alert.get("inhibited_by"):
        parts.append(f"inhibited by {', '.join(alert['inhibited_by'])}")
    if alert.get("flapping"):
        parts.append("flapping")
    if alert.get("no_data"):
        parts.append("no data")
    return ", ".join(parts) or alert["annotations"].get("summary", "")


def _ended(alert: Document) -> list[str]:
    about = alert.get("resolve_reason") or _about(alert)
    return [
        alert["id"][:SHORT_ID],
        moment(alert["fired_at"]),
        elapsed(alert["fired_at"], alert["resolved_at"]),
        alert["state"],
        alert["severity"],
        alert["rule"],
        where(alert),
        about,
    ]
