"""`dozor notify channels`, `dead`, `retry`: who is told, and what did not arrive."""

from dozor.cli.client import Client, Document
from dozor.cli.outcome import Refused
from dozor.cli.output import elapsed, moment, print_json, print_table, say, zone


def list_channels(client: Client, *, as_json: bool) -> None:
    """Print each channel and how it fares."""
    answer = client.get("channels")
    if as_json:
        print_json(answer)
        return
    columns = ["channel", "kind", "state", "waiting", "sent", "failed", "dead", "last sent", "target", "last error"]
    print_table(columns, [_channel(channel) for channel in answer["channels"]])


def list_dead(client: Client, *, channel: str | None, limit: int, as_json: bool) -> None:
    """Print the notifications that were given up, the newest first."""
    answer = client.get("notifications", {"state": "dead", "channel": channel, "limit": min(limit, 1000)})
    if as_json:
        print_json(answer)
    elif not answer["notifications"]:
        say("No dead letters: everything arrived, or is on its way.")
    else:
        columns = ["id", "channel", f"written ({zone()})", "about", "alerts", "attempts", "why it was given up"]
        print_table(columns, [_letter(letter) for letter in answer["notifications"]])


def retry(client: Client, letter_id: str | None, *, channel: str | None, as_json: bool) -> None:
    """Have the dead letter of that id sent again, or, without one, all of them (of *channel*)."""
    if letter_id is None:
        answer = client.post("notifications/retry", {"channel": channel})
        if as_json:
            print_json(answer)
        else:
            count = answer["retried"]
            say(f"{count} dead letter{'' if count == 1 else 's'} will be sent again.")
        return
    if not letter_id.isdecimal():
        raise Refused(f"no notification has the id {letter_id!r}; `dozor notify dead` lists those that were given up")
    answer = client.post(f"notifications/{letter_id}/retry", {})
    if as_json:
        print_json(answer)
    else:
        say(f"Notification {letter_id} will be sent to {answer['channel']} again.")


def _channel(channel: Document) -> list[str]:
    last = channel["last_success_at"]
    counts = [str(channel[name]) for name in ("waiting", "sent", "failed", "dead")]
    return [
        channel["name"],
        channel["kind"],
        channel["state"],
        *counts,
        f"{elapsed(last)} ago" if last else "never",
        channel["target"] or "-",
        channel["last_error"] or "",
    ]


def _letter(letter: Document) -> list[str]:
    return [
        str(letter["id"]),
        letter["channel"],
        moment(letter["created_at"]),
        f"{letter['group']} {letter['occasion']}",
        str(len(letter["alerts"]) + letter["omitted"]),
        str(letter["attempts"]),
        letter["last_error"] or "",
    ]
