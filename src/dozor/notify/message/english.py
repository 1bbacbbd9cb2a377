"""English."""

from typing import Final

from dozor.model.alert import AlertState, Severity
from dozor.model.notification import Occasion
from dozor.notify.message.texts import Evidence, Facts, Headings, Texts, Units


def _plural(count: int) -> int:
    return 0 if count == 1 else 1


ENGLISH: Final = Texts(
    language="en",
    plural=_plural,
    severities={
        Severity.INFO: "INFO",
        Severity.WARNING: "WARNING",
        Severity.CRITICAL: "CRITICAL",
        Severity.EMERGENCY: "EMERGENCY",
    },
    states={
        AlertState.PENDING: "pending",
        AlertState.FIRING: "firing",
        AlertState.ACKNOWLEDGED: "acknowledged",
        AlertState.SILENCED: "silenced",
        AlertState.RESOLVED: "resolved",
    },
    occasions={
        Occasion.FIRING: "firing",
        Occasion.ESCALATED: "escalated",
        Occasion.REMINDER: "still firing",
        Occasion.RESOLVED: "resolved",
        Occasion.ACKNOWLEDGED: "acknowledged",
        Occasion.SILENCED: "silenced",
    },
    resolved_mark="RESOLVED",
    headings=Headings(
        advice="What to do first",
        evidence="Seen when it fired",
        runbook="Runbook",
        open="Open in Dozor",
        acknowledge="Acknowledge",
        silence="Silence for 1 h",
    ),
    facts=Facts(
        severity="Severity",
        since="Since",
        resolved="Resolved",
        value="Value",
        where="Where",
        acknowledged="Acknowledged",
        silenced="Silenced",
        flapping="Flapping",
        note="Note",
    ),
    evidence=Evidence(
        holder="{who} has held a connection for {duration}",
        holder_leaked="{who} has held a connection for {duration} and never given it back",
        statement="now at: {statement}",
        slow_query="{duration}: {statement}",
        failed="failed with {error}",
        called_from="from {caller}",
        usually_from="usually from {caller}",
        stall="the event loop was blocked for {duration}, in {place}",
        slow_command="{duration}: {command}",
        client="from {client}",
        route="{route}: 1 request in 20 takes longer than {duration}, {rate} requests a second",
        route_errors="{rate} errors a second",
    ),
    units=Units(
        decimal=".",
        thousands=",",
        bytes=("B", "KiB", "MiB", "GiB", "TiB", "PiB"),
        milliseconds="ms",
        durations=("s", "min", "h", "d"),
        infinite="infinite",
        nothing="no data",
    ),
    reasons={},
    title="{rule} {occasion}",
    title_of_many="{rule} {occasion}, {alerts}",
    alerts=("{count} alert", "{count} alerts"),
    more=("… and {count} more alert", "… and {count} more alerts"),
    no_summary="{rule} holds",
    moment="{moment} UTC",
    lasting="{moment} ({duration})",
    ended="{moment} after {duration}",
    ended_because="{moment} after {duration}: {reason}",
    limit="{value} (limit {threshold})",
    equality="{value} (fires when {threshold})",
    by="by {who}",
    somebody="somebody",
    commented="{what}: {comment}",
    until="until {moment}",
    until_resolved="until it resolves",
    by_silence="by a silence for several alerts",
    flapping=(
        "it has fired {count} time of late; you hear of it less often while that goes on",
        "it has fired {count} times of late; you hear of it less often while that goes on",
    ),
    no_data="its data has stopped; the value is the last one that was seen",
)
