"""Asks Dozor for `dozor top`, in a thread of its own: a screen never waits for an answer."""

import queue
import threading
import time
from collections.abc import Callable, Mapping

from dozor.cli.client import Client, Document
from dozor.cli.outcome import CommandFailed
from dozor.cli.top_view import Picture

_OVERVIEW = "dashboard/overview"


def look(client: Client) -> Picture:
    """How everything is now. Raises CommandFailed."""
    overview = client.get(_OVERVIEW)
    if not isinstance(overview.get("components"), Mapping):
        raise client.stranger(200, _OVERVIEW)
    try:
        changes = client.get("dashboard/changes").get("changes") or []
    except CommandFailed:
        changes = []  # an older release, which has none
    return Picture(overview, changes, time.monotonic())


class Feed:
    """Looks every *interval_seconds*, and after each action; *wake* is called when there is something new.

    While Dozor does not answer, the last picture stays, with the reason.
    """

    def __init__(self, client: Client, first: Picture, interval_seconds: float, wake: Callable[[], None]) -> None:
        self.picture = first
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        """What actions came to, one sentence each."""
        self._client, self._interval, self._wake = client, interval_seconds, wake
        self._now, self._ended = threading.Event(), threading.Event()

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="dozor-top", daemon=True).start()

    def stop(self) -> None:
        """Look no more. A question that is under way is not waited for."""
        self._ended.set()
        self._now.set()

    def act(self, alert: Document, action: str, body: Mapping[str, object], done: str) -> None:
        """Do *action* to *alert* beside all else, and say *done*, or what was wrong."""

        def run() -> None:
            try:
                answer = self._client.post(f"alerts/{alert['id']}/{action}", body)
                kept = "" if answer.get("durable", True) else " For now it is kept in memory only."
                self.said.put(f"{done}{kept}")
            except CommandFailed as error:
                self.said.put(f"That did not work: {error}")
            self._now.set()
            self._wake()

        threading.Thread(target=run, name="dozor-top-action", daemon=True).start()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._now.wait(self._interval)
            self._now.clear()
            if self._ended.is_set():
                return
            try:
                self.picture = look(self._client)
            except CommandFailed as error:
                self.picture = self.picture._replace(failure=str(error))
            self._wake()
