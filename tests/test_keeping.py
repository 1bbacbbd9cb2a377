"""What is kept when the database comes back late: each thing once, whatever is written first."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.alerts.world import rules_of

from dozor.alerts import Lifecycle
from dozor.database import Database, StoreThread
from dozor.errors import StoreUnavailable
from dozor.keeping import Keeper
from dozor.model.alert import Alert
from dozor.model.labels import Labels
from dozor.model.notification import Changes, Notification, Outgoing
from dozor.model.sample import Sample
from dozor.rules import Rule
from dozor.settings import Settings
from dozor.store import MemoryStore
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio

HOT = Rule("Hot", "heat > 90", for_="10s", labels={"severity": "critical"})


class Nobody:
    """A delivery that has nobody to tell."""

    def wake(self) -> None: ...

    def stand_in(self, notifications: Iterable[Notification]) -> None: ...

    def route(self, notifications: Iterable[Notification]) -> list[Outgoing]:
        return []


class LateDatabase(Database):
    """One that does not answer at first."""

    away = True

    def open(self) -> None:
        if self.away:
            raise StoreUnavailable("it is away")
        super().open()


class House:
    """Rules over a store in memory, and a keeper on a database on disk."""

    def __init__(self, url: str, clock: FakeClock) -> None:
        self.clock, self.store = clock, MemoryStore()
        self.lifecycle = Lifecycle(rules_of(HOT))
        self.database, self.thread = LateDatabase(url), StoreThread()
        delivery: Any = Nobody()
        self.keeper = Keeper(clock, Settings(), self.lifecycle, delivery, database=self.database, thread=self.thread)

    def evaluate(self, seconds: int) -> list[Changes]:
        """What changes in so many seconds of heat."""
        found = []
        for _ in range(seconds):
            self.clock.advance(1)
            at = self.clock.timestamp()
            self.store.append(at, [Sample("heat", Labels(place="kitchen"), 95.0)])
            found.append(self.lifecycle.evaluate(self.store, at))
        return found

    async def write_until(self, wrong: Callable[[list[Alert]], bool]) -> None:
        """Write what waits, one after another; fail as soon as what is kept is *wrong*."""
        while self.keeper.journal.depth:
            assert await self.keeper.journal._write_oldest()
            assert not wrong(self.database.load_recent(0))


def twice(alerts: list[Alert]) -> bool:
    return sum(alert.resolved_at is None for alert in alerts) > 1


@pytest.mark.parametrize(("before", "meanwhile"), [(20, 20), (20, 5), (5, 20), (5, 5)])
async def test_no_alert_is_ever_open_twice(before: int, meanwhile: int, tmp_path: Path, clock: FakeClock) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    first = House(url, clock)
    first.database.away = False
    await first.keeper.open()
    for changes in first.evaluate(before):
        if changes:
            first.keeper.journal.write(changes)
    await first.write_until(twice)
    await first.keeper.close()

    second = House(url, clock)
    await second.keeper.open()
    for changes in second.evaluate(meanwhile):
        if changes:
            second.keeper.journal.write(changes)
    second.database.away = False
    await second.write_until(twice)
    (alert,) = [alert for alert in second.database.load_recent(0) if alert.resolved_at is None]
    assert (alert.fired_at is not None) == (max(before, meanwhile) >= 10)
    await second.keeper.close()


async def test_what_is_kept_on_disk_is_told_with_its_limits_while_the_database_answers(
    tmp_path: Path, clock: FakeClock
) -> None:
    house = House(f"sqlite:///{tmp_path}/store.db", clock)

    def told() -> dict[str, float]:
        return {family.name: family.samples[0].value for family in house.keeper.families()}

    await house.keeper.open()
    await house.keeper.measure()
    assert "dozor_history_size_bytes" not in told(), "what is not known is absent"
    house.database.away = False
    await house.keeper.open()
    await house.keeper.measure()
    assert told()["dozor_history_size_bytes"] == house.database.size_bytes() > 0
    assert told()["dozor_history_limit_bytes"] == 2**30
    assert told()["dozor_history_retention_seconds"] == 90 * 86_400
    await house.keeper.close()
