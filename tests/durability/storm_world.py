"""A storm: `dozor serve` with rules that fire and resolve several times a second, and a receiver beside it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import httpx2
from tests.cli.command import environment
from tests.durability.kept import Kept, nothing_twice, read
from tests.durability.serve import VARIABLE
from tests.patience import PATIENCE_SECONDS
from tests.serving import free_port

ROOT = Path(__file__).parent.parent.parent
RULES = 10
TAKEN = ("ok", "half")
"""The moods in which the receiver says that it has the notification: by the status, whatever becomes of the body."""
_DEADLINE_SECONDS = 120.0
NONE: Final[Mapping[str, str]] = MappingProxyType({})


def rules(*, calm: bool = False) -> str:
    """A rule file whose rules each fire and resolve in a rhythm of their own; *calm*: all resolve, and stay so."""
    lines = ["groups:", "  - name: storm", "    rules:"]
    for number in range(RULES):
        period = 0.6 + number * 0.11
        phase = f"(vector(time()) % {period:.2f})"
        fires = "vector(0) > 1" if calm else f"{phase} < {period / 2:.3f}"
        # With a condition of its own for the end: without one, an absence soon after a restart ends nothing yet.
        ends = "vector(1) > 0" if calm else f"{phase} >= {period / 2:.3f}"
        lines += [f"      - alert: Storm{number:02d}", f"        expr: {fires}", "        labels: {severity: critical}"]
        lines += [f"        annotations: {{dozor_resolve: '{ends}'}}"]
    return "\n".join(lines) + "\n"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return once *condition* holds."""
    until_nothing_is_left(lambda: not condition(), what)


def until_nothing_is_left(left: Callable[[], int], what: str) -> None:
    """Return once nothing is *left*; however much there is on however slow a machine, as long as it becomes less."""
    least, deadline = left(), time.monotonic() + _DEADLINE_SECONDS
    while now := left():
        if now < least:
            least, deadline = now, time.monotonic() + _DEADLINE_SECONDS
        assert time.monotonic() < deadline, f"not within {_DEADLINE_SECONDS:.0f} s: {what}; left: {now}"
        time.sleep(0.1)


@dataclass(frozen=True)
class Told:
    """What the receiver noted."""

    taken: set[str]
    """The ids of the notifications that it answered with 200, once for each."""
    keys: dict[tuple[str, str], set[str]]
    """The ids of the notifications that said an alert fires, or has resolved, by alert and status."""
    requests: int
    repeated: int


class Storm:
    """A receiver that stays, and one Dozor after another on the store at *url*."""

    def __init__(self, folder: Path, url: str, seed: int, moods: str) -> None:
        self.url, self.folder, self._log = url, folder, folder / "received.jsonl"
        self._log.touch()
        for name in ("storm", "calm"):
            (folder / f"{name}.yml").write_text(rules(calm=name == "calm"), encoding="utf-8")
        command = [sys.executable, "-m", "tests.durability.receiver", str(self._log), str(seed), *moods.split()]
        self._receiver = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._receiver.stdout is not None
        self._hook = f"http://127.0.0.1:{int(self._receiver.stdout.readline())}/hook"
        self._port = free_port()
        self.api = f"http://127.0.0.1:{self._port}/api/v1/monitoring/"

    def close(self) -> None:
        self._receiver.kill()
        self._receiver.wait()
        if self._receiver.stdout is not None:
            self._receiver.stdout.close()

    @contextmanager
    def dozor(
        self, *, calm: bool = False, kill: str | None = None, variables: Mapping[str, str] = NONE
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """A `dozor serve`; killed at the end, if it has not ended by then."""
        given = {
            "DOZOR_WEBHOOK_URL": self._hook,
            "DOZOR_STORE_URL": self.url,
            "DOZOR_GROUP_INTERVAL": "0",
            "DOZOR_FLAPPING_COUNT": "0",
            "DOZOR_INTERVAL": "100ms",
            "DOZOR_RULES": str(self.folder / ("calm.yml" if calm else "storm.yml")),
            **({VARIABLE: kill} if kill else {}),
            **variables,
        }
        env = environment(self.folder, PYTHONPATH=str(ROOT), **given)
        with (self.folder / "serve.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.durability.serve", "serve", "--port", str(self._port)],
                cwd=self.folder, env=env, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def wait_for_health(self, process: "subprocess.Popen[bytes]") -> None:
        """Return once it answers."""

        def healthy() -> bool:
            assert process.poll() is None, (self.folder / "serve.log").read_text()[-2000:]
            with suppress(httpx2.TransportError):
                return httpx2.get(f"{self.api}health", trust_env=False, timeout=5).status_code == 200
            return False

        wait_until(healthy, "dozor serve answers")

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        """End it in order: what waits for the database is written."""
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0

    def acknowledge_one(self, by: str) -> str | None:
        """Acknowledge an alert of the storm; its id, if Dozor said that this is committed."""
        with suppress(httpx2.TransportError):
            active = httpx2.get(f"{self.api}alerts/active", trust_env=False, timeout=5).json()["alerts"]
            for alert in active:
                answer = httpx2.post(
                    f"{self.api}alerts/{alert['id']}/acknowledge", json={"by": by}, trust_env=False, timeout=5
                )
                if answer.status_code == 200 and answer.json()["durable"]:
                    return str(alert["id"])
        return None

    def drain(self, variables: Mapping[str, str] = NONE) -> Kept:
        """Let everything end and be told, in a Dozor whose rules never fire; what is kept then."""

        def left() -> int:
            found = read(self.url)
            waiting = [alert for alert in found.alerts.values() if is_ours(alert.rule) and alert.resolved_at is None]
            return len(waiting) + found.states("webhook").count("pending")

        with self.dozor(calm=True, variables=variables) as process:
            self.wait_for_health(process)
            until_nothing_is_left(left, "everything has ended and was told")
        return read(self.url)

    def told(self) -> Told:
        """What the receiver was told so far."""
        keys: dict[tuple[str, str], set[str]] = defaultdict(set)
        lines: list[dict[str, Any]] = [json.loads(line) for line in self._log.read_text().splitlines()]
        for line in lines:
            for alert_id, status, rule in line["alerts"]:
                if is_ours(rule):
                    keys[alert_id, status].add(line["id"])
        taken = [line["id"] for line in lines if line["mood"] in TAKEN]
        return Told(set(taken), keys, len(lines), len(taken) - len(set(taken)))


def all_told(kept: Kept, told: Told) -> None:
    """Fail unless each notification arrived, each alert was told once, and repetitions carry the key of the first."""
    nothing_twice(kept)
    assert kept.ids("webhook") <= told.taken, "a notification never arrived"
    ours = {alert_id: alert for alert_id, alert in kept.alerts.items() if is_ours(alert.rule)}
    for status in ("firing", "resolved"):
        heard = {alert_id for alert_id, said in told.keys if said == status}
        assert not ours.keys() - heard, f"kept, and nobody was told: {status}"
        assert not heard - ours.keys(), f"told, and not kept: {status}"
    several = {key: ids for key, ids in told.keys.items() if len(ids) > 1}
    assert not several, "the same was told under two keys"


def is_ours(rule: str) -> bool:
    """Whether it is a rule of the storm: the machine's own alerts may fire too, and have cooldowns."""
    return rule.startswith("Storm")
