"""`dozor explain`: why a rule fires, or does not."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from dozor.cli.client import Client, Document
from dozor.cli.output import moment, print_json, print_table, say, seconds, warn

_SHOWN_IN_HEAD = frozenset({"alertname", "component"})


def explain(client: Client, rule: str, *, as_json: bool) -> None:
    """Print what each rule called *rule* looks at, how far that is from firing, and what holds it back."""
    answer = client.get(f"alerts/rules/{quote(rule, safe='')}/explain")
    if as_json:
        print_json(answer)
        return
    for number, explained in enumerate(answer["rules"]):
        if number:
            say("")
        for line in _head(explained):
            say(line)
        _print_series(explained)


def _head(rule: Document) -> Iterator[str]:
    place = " of ".join(filter(None, [rule["group"], rule["file"]]))
    yield f"{rule['rule']} ({rule['severity']}{f', {place}' if place else ''}): {rule['why']}"
    waits = [f"for {seconds(rule['for_seconds'])}"] if rule["for_seconds"] else []
    waits += [f"ends at {rule['resolve']}"] if rule["resolve"] else []
    waits += [f"lasts {seconds(rule['keep_firing_seconds'])} longer"] if rule["keep_firing_seconds"] else []
    yield f"Fires where {rule['expr']}" + (f" ({', '.join(waits)})." if waits else ".")
    if rule["last_evaluation"] is not None:
        took = rule["evaluation_seconds"]
        yield f"Evaluated {moment(rule['last_evaluation'])}{'' if took is None else f' in {took * 1000:.2f} ms'}."


def _print_series(rule: Document) -> None:
    series = rule["series"]
    if series:
        columns = ["state", "where", "value", "threshold", "pending since", "why"]
        print_table(columns, [_row(rule, one) for one in series])
    if rule["series_total"] > len(series):
        warn(f"{len(series)} of {rule['series_total']} series, the nearest to firing; --json has no more either.")


def _row(rule: Document, one: dict[str, Any]) -> list[str]:
    where = ", ".join(f"{name}={text}" for name, text in one["labels"].items() if name not in _SHOWN_IN_HEAD)
    return [
        one["state"].upper(),
        where or "-",
        "-" if one["value"] is None else f"{one['value']:g}",
        rule["threshold"] or "-",
        moment(one["pending_since"]),
        one["why"],
    ]
