"""`dozor silence`, `silences`, `unsilence`: tell nobody for a time, of one alert or of all that match."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from dozor.cli.alerts import SHORT_ID, actor, described, find_alert, one_of, print_alerts, tell
from dozor.cli.client import Client, Document
from dozor.cli.moments import duration, moment
from dozor.cli.outcome import Refused
from dozor.cli.output import elapsed, print_json, print_table, say, zone
from dozor.cli.output import moment as shown
from dozor.errors import ConfigurationError

_ALERT = "alert-"
"""Begins the id under which an alert's own silence stands in the inventory."""


class Span(Struct, frozen=True):
    """From when to when nobody is told, as the flags say. *start*: only for a silence by matchers."""

    for_: str | None = None
    until: str | None = None
    until_resolved: bool = False
    start: str | None = None

    def end(self) -> Mapping[str, object]:
        """The one end that was given, as the API takes it. Raises ConfigurationError unless it is one."""
        given = [
            name
            for name, value in (
                ("--for", self.for_),
                ("--until", self.until),
                ("--until-resolved", self.until_resolved),
            )
            if value
        ]
        if len(given) != 1:
            said = f"not {' and '.join(given)} together" if given else "none was given"
            raise ConfigurationError(f"give exactly one of --for, --until and --until-resolved; {said}")
        if self.for_ is not None:
            return {"duration": duration(self.for_, key="--for")}
        if self.until is not None:
            return {"until": moment(self.until, _now(), key="--until").isoformat()}
        return {"until_resolved": True}

    def bounds(self) -> Mapping[str, object]:
        """Start and end, as the API takes them for a silence by matchers."""
        start = None if self.start is None else moment(self.start, _now(), key="--start")
        end = dict(self.end())
        if "until" in end:
            end["ends_at"] = end.pop("until")
        return {**end, "starts_at": None if start is None else start.isoformat()}


def silence_alert(
    client: Client, beginning: str, span: Span, *, by: str | None, comment: str | None, as_json: bool
) -> None:
    """Tell nobody of one alert."""
    if span.start is not None:
        raise ConfigurationError("only a silence by --match can begin later", key="--start")
    body = {**span.end(), "by": actor(by), "comment": comment}
    alert = client.post(f"alerts/{find_alert(client, beginning)['id']}/silence", body)
    until = (alert.get("silenced") or {}).get("until")
    tell(alert, f"Silenced {described(alert)} until {shown(until) if until else 'it resolves'}.", as_json=as_json)


def silence_matching(
    client: Client, matchers: Sequence[str], span: Span, *, by: str | None, comment: str | None, as_json: bool
) -> None:
    """Tell nobody of whatever has these labels."""
    body = {"matchers": list(matchers), **span.bounds(), "by": actor(by), "comment": comment}
    made = client.post("silences", body)
    if made["state"] == "SCHEDULED":
        what = f"from {shown(made['starts_at'])} until {_end(made)}"
    else:
        what = f"until {_end(made)}; it matches {_counted(made['matched'])} now"
    tell(made, f"Silence {_short(made)} holds {what}.", as_json=as_json)


def preview(client: Client, matchers: Sequence[str], *, as_json: bool) -> None:
    """Print what a silence would match now; make none."""
    answer = client.post("silences/preview", {"matchers": list(matchers)})
    if as_json:
        print_json(answer)
        return
    say(f"This matches {_counted(answer['total'])} now; no silence was made.")
    if answer["alerts"]:
        print_alerts(answer["alerts"])


def list_silences(client: Client, *, state: str | None, as_json: bool) -> None:
    """Print the inventory: who silenced what, why, until when, and what that matches now."""
    silences = list(client.entries("silences", "silences", {"state": state}))
    if as_json:
        print_json({"silences": silences, "total": len(silences)})
    elif not silences:
        say("No silences.")
    else:
        columns = ["id", "state", "what", f"from ({zone()})", "until", "left", "by", "matched", "why"]
        print_table(columns, [_row(silence) for silence in silences])


def end_silence(client: Client, beginning: str, *, by: str | None, comment: str | None, as_json: bool) -> None:
    """End a silence now; *beginning* may also be that of the id of the alert that has it."""
    listed = list(client.entries("silences", "silences"))
    # One that has expired is found last, for Dozor to say that it has.
    live = [silence for silence in listed if silence["state"] != "EXPIRED"]
    found = one_of(live, beginning, "silences") or _of_alert(live, beginning) or one_of(listed, beginning, "silences")
    if found is None:
        raise Refused(f"no silence's id begins with {beginning!r}; `dozor silences` lists them")
    ended = client.delete(f"silences/{found['id']}", {"by": actor(by), "comment": comment})
    tell(ended, f"Ended silence {_short(found)} of {_what(found)}.", as_json=as_json)


def _of_alert(listed: Sequence[Document], beginning: str) -> Document | None:
    own = [{**silence, "id": silence["alert_id"]} for silence in listed if silence.get("alert_id")]
    found = one_of(own, beginning, "silenced alerts")
    return None if found is None else {**found, "id": f"{_ALERT}{found['id']}"}


def _row(silence: Document) -> list[str]:
    ended = silence["state"] == "EXPIRED"
    return [
        _short(silence),
        silence["state"],
        _what(silence),
        shown(silence["starts_at"]),
        _end(silence),
        "-" if ended or silence["until_resolved"] else elapsed(_now().isoformat(), silence["ends_at"]),
        silence.get("by") or "-",
        str(silence.get("matched", "-")),
        silence.get("comment") or "",
    ]


def _what(silence: Document) -> str:
    if silence["matchers"]:
        return ", ".join(silence["matchers"])
    alerts = silence.get("alerts") or ()
    return described(alerts[0]) if alerts else f"alert {silence['alert_id'][:SHORT_ID]}"


def _end(silence: Document) -> str:
    if silence.get("ended_at"):
        return shown(silence["ended_at"])
    return "all it matches has resolved" if silence["until_resolved"] else shown(silence["ends_at"])


def _short(silence: Document) -> str:
    """So much of the id as is worth showing."""
    own = _ALERT if silence["id"].startswith(_ALERT) else ""
    return str(silence["id"])[: len(own) + SHORT_ID]


def _counted(alerts: int) -> str:
    return f"{alerts} alert{'' if alerts == 1 else 's'}"


def _now() -> datetime:
    return datetime.now().astimezone()
