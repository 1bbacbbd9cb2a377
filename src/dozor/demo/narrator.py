"""What the demo prints: a line for everything that happens, coloured on a terminal and plain in a pipe."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from typing_extensions import override

from dozor.model.notification import Notification, Occasion

if TYPE_CHECKING:
    from dozor.demo.faults import Fault

_STYLES = {
    Occasion.FIRING: "bold red",
    Occasion.ESCALATED: "bold red",
    Occasion.REMINDER: "yellow",
    Occasion.RESOLVED: "bold green",
}


class Narrator:
    """Says what happens, with the minutes and seconds since the beginning. Any thread may call.

    It is a notifier too: what Dozor tells people is printed among the rest.
    """

    def __init__(self, console: Console | None = None) -> None:
        # Standard output may be a file: lines are not to be broken at the width of a terminal that is not there.
        self._console = console or Console(soft_wrap=True, highlight=False)
        self._began = time.monotonic()
        self.dozor_url = ""

    def say(self, text: str) -> None:
        """One line."""
        self._print(escape(text))

    @contextmanager
    def reading_log(self) -> Iterator[None]:
        """Say what Dozor logs, too; but for alerts, of which the narrator is told anyhow."""
        log, alerts = logging.getLogger("dozor"), logging.getLogger("dozor.alerts")
        handler, nowhere = _LogLines(self), logging.NullHandler()
        log.addHandler(handler)
        alerts.addHandler(nowhere)
        before = log.propagate, alerts.propagate
        log.propagate = alerts.propagate = False
        try:
            yield
        finally:
            log.removeHandler(handler)
            alerts.removeHandler(nowhere)
            log.propagate, alerts.propagate = before

    def heading(self, text: str) -> None:
        """One line that stands out."""
        self._print(f"[bold]{escape(text)}[/bold]")

    def fault(self, fault: "Fault") -> None:
        """A fault begins."""
        self._print(f"[bold yellow]FAULT {fault.name}[/bold yellow]: {escape(fault.story)}")
        self._detail(f"expect: {fault.expect}")
        self._detail(f"look:   curl {self.dozor_url}{fault.look}")

    def over(self, fault: "Fault", seconds: float) -> None:
        """A fault is put right."""
        self._print(f"[bold]fault {fault.name} is over[/bold] after {seconds:.0f} s")

    async def send(self, notification: Notification) -> None:
        """Print what Dozor tells people."""
        style = _STYLES[notification.occasion]
        for alert in notification.alerts:
            what = "resolved" if alert.resolved_at is not None else notification.occasion.value
            summary = alert.annotations.get("summary", "")
            self._print(
                f"[{style}]ALERT {escape(alert.rule)} {what}[/{style}] "
                f"({alert.severity.value.lower()}): {escape(summary)}"
            )
            if alert.resolved_at is None:
                self._detail(f"ack:    curl -X POST {self.dozor_url}/api/v1/monitoring/alerts/{alert.id}/acknowledge")

    def _detail(self, text: str) -> None:
        self._console.print(f"             {escape(text)}", style="dim")

    def _print(self, markup: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        self._console.print(f"[dim]{minutes:4d}:{seconds:02d}[/dim]   {markup}")


class _LogLines(logging.Handler):
    """Warnings and errors of a logger as lines of a narrator."""

    def __init__(self, narrator: Narrator) -> None:
        super().__init__(logging.WARNING)
        self._narrator = narrator

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self._narrator.say(f"log: {self.format(record)}")
