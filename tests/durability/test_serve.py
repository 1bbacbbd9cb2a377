"""A real `dozor serve` in a storm of alerts, killed at any moment: nothing that was committed is lost or told wrongly."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from tests.chaos import CHAOS, SEED
from tests.durability.kept import Kept, nothing_lost, nothing_twice, read
from tests.durability.serve import PLACES
from tests.durability.storm_world import Storm, all_told, wait_until

pytestmark = pytest.mark.chaos

BAD = ("error", "busy", "close", "reset", "half", "hang")
MOSTLY_WELL = "ok=12 error=1 busy=1 close=1 reset=1 half=1"
Storms = Callable[..., Storm]


@pytest.fixture
def storms(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Storms]:
    """Makes a storm on a store of that kind, with a receiver of these moods."""
    made: list[Storm] = []

    def make(kind: str, moods: str = MOSTLY_WELL) -> Storm:
        url = f"sqlite:///{tmp_path}/store.db" if kind == "sqlite" else request.getfixturevalue("postgres_database")
        made.append(Storm(tmp_path, url, SEED, moods))
        return made[-1]

    yield make
    for storm in made:
        storm.close()


@pytest.mark.parametrize(("kind", "kills"), [("sqlite", 200 if CHAOS else 4), ("postgresql", 200 if CHAOS else 3)])
def test_kills_at_random_moments_lose_nothing(
    kind: str, kills: int, storms: Storms, record_property: Callable[[str, object], None]
) -> None:
    storm, chance = storms(kind), random.Random(SEED)
    kept, owned = Kept(), set()
    for kill in range(kills):
        by = f"anna-{kill}"
        with storm.dozor() as process:
            if chance.random() < 0.15:
                time.sleep(chance.uniform(0, 1.5))  # the moment of the kill is the test's input, here and below
            else:
                storm.wait_for_health(process)
                time.sleep(chance.uniform(0.1, 1.0))
                if (alert_id := storm.acknowledge_one(by)) is not None:
                    owned.add((alert_id, by))
                time.sleep(chance.uniform(0, 0.2))
            os.kill(process.pid, signal.SIGKILL)
        now = read(storm.url)
        nothing_lost(kept, now)
        nothing_twice(now)
        kept = now
    final = storm.drain()
    nothing_lost(kept, final)
    acknowledged = {(alert_id, by) for alert_id, _, by in final.audit.values() if by is not None}
    assert owned <= acknowledged, "what people were told is committed is there"
    told = storm.told()
    all_told(final, told)
    assert len(final.alerts) > kills, "each run came to commit something"
    record_property(
        "closing note",
        f"{kills} kills of dozor serve on {kind}: {len(final.audit)} transitions of {len(final.alerts)} alerts kept, "
        f"{len(final.ids('webhook'))} notifications arrived, {told.repeated} of them twice, 0 lost",
    )


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"] if CHAOS else ["sqlite"])
def test_a_kill_between_two_steps_loses_nothing(kind: str, storms: Storms) -> None:
    storm = storms(kind, "ok=1")
    kept = Kept()
    for place, times in product(PLACES, (1, 4, 9) if CHAOS else (5,)):
        with storm.dozor(kill=f"{place}:{times}") as process:
            wait_until(lambda: process.poll() is not None, f"it came to {place}")
        assert process.returncode == -signal.SIGKILL
        now = read(storm.url)
        nothing_lost(kept, now)
        kept = now
    final = storm.drain()
    nothing_lost(kept, final)
    told = storm.told()
    all_told(final, told)
    assert told.repeated > 0, "what arrived and was not settled came again"


@pytest.mark.parametrize(
    "moods", [f"ok=1 {mood}=1" for mood in BAD] if CHAOS else ["ok=6 error=1 busy=1 close=1 reset=1 half=1 hang=0.3"]
)
def test_a_receiver_that_fails_in_every_way_is_told_all(moods: str, storms: Storms) -> None:
    storm = storms("sqlite", moods)
    with storm.dozor() as process:
        storm.wait_for_health(process)
        wait_until(lambda: len(read(storm.url).ids("webhook")) > 40, "there are notifications")
    all_told(storm.drain(), storm.told())
