"""`dozor annotate`: a mark in time."""

from collections.abc import Sequence
from datetime import UTC, datetime

from dozor.cli.alerts import actor, tell
from dozor.cli.client import Client
from dozor.cli.moments import ago
from dozor.cli.output import moment


def annotate(client: Client, text: str, *, at: str | None, tags: Sequence[str], by: str | None, as_json: bool) -> None:
    """Mark the moment *at* (None: now) with *text*."""
    when = None if at is None else ago(at, datetime.now().astimezone(), key="--at").astimezone(UTC).isoformat()
    body = {"text": text, "at": when, "tags": list(tags), "by": actor(by)}
    made = client.post("annotations", body)
    tell(made, f"Marked {moment(made.get('at'))}: {made.get('text')}", as_json=as_json)
