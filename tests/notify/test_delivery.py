"""From the outbox to receivers: a real store, real sockets, time that moves when told."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.database.records import START, make_notification, to
from tests.notify import receiver
from tests.notify.delivering import Away, Deliver, add, eventually, value
from tests.notify.receiver import Behaviour, answer, receiving
from tests.patience import PATIENCE_SECONDS

from dozor.clock import Clock
from dozor.database import Database, StoreThread
from dozor.errors import DeliveryError, StoreUnavailable
from dozor.model.notification import Changes, Notification
from dozor.notify import Delivery, RetryPolicy
from dozor.notify.webhook import WebhookNotifier
from dozor.testing import FakeClock, RecordingNotifier

pytestmark = pytest.mark.anyio


async def test_each_receiver_is_sent_each_notification_once(store: Database, deliver: Deliver) -> None:
    one, two = RecordingNotifier(), RecordingNotifier()
    delivery = deliver(one=one, two=two)
    first, second = make_notification(), make_notification()
    add(store, delivery, first, second)
    await delivery.step()
    await delivery.step()
    assert [each.id for each in one.notifications] == [first.id, second.id]
    assert [each.id for each in two.notifications] == [first.id, second.id]
    assert value(delivery, "dozor_notifications_total", receiver="one", result="sent") == 2
    assert value(delivery, "dozor_outbox_depth") == 0
    assert value(delivery, "dozor_dead_letters") == 0


async def test_what_failed_is_tried_again_later_under_the_same_id(
    store: Database, deliver: Deliver, clock: FakeClock
) -> None:
    async with receiving(answer(500), receiver.close_early, answer(200)) as server:
        delivery = deliver(webhook=WebhookNotifier(server.url, clock))
        add(store, delivery, make_notification(id="msg"))
        await delivery.step()
        clock.advance(1.9)
        await delivery.step()
        assert len(server.requests) == 1, "the first span is 2 s"
        clock.advance(0.1)
        await delivery.step()
        clock.advance(4)
        await delivery.step()
        assert [request.headers["webhook-id"] for request in server.requests] == ["msg"] * 3
    assert value(delivery, "dozor_notifications_total", receiver="webhook", result="failed") == 2
    assert value(delivery, "dozor_notifications_total", receiver="webhook", result="sent") == 1
    assert store.outbox_depth() == 0


@pytest.mark.parametrize(
    ("header", "wait"), [("30", 30), ("-30", 2), ("1000000", 3600), ("Fri, 15 Jan 2027 08:05:00 GMT", 300)]
)
async def test_no_attempt_is_made_before_the_receiver_wants_one(
    store: Database, deliver: Deliver, clock: FakeClock, header: str, wait: float
) -> None:
    async with receiving(answer(429, Retry_After=header), answer(200)) as server:
        delivery = deliver(webhook=WebhookNotifier(server.url, clock))
        add(store, delivery, make_notification())
        await delivery.step()
        clock.advance(wait - 0.5)
        await delivery.step()
        assert len(server.requests) == 1
        clock.advance(0.5)
        await delivery.step()
        assert len(server.requests) == 2
    assert store.outbox_depth() == 0


@pytest.mark.parametrize("behaviour", [answer(404), answer(410), answer(302, Location="/x")])
async def test_what_is_hopeless_is_a_dead_letter_at_once(
    store: Database, deliver: Deliver, clock: FakeClock, behaviour: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiving(behaviour) as server:
        delivery = deliver(webhook=WebhookNotifier(server.url, clock))
        add(store, delivery, make_notification(id="msg"))
        for _ in range(3):
            await delivery.step()
            clock.advance(3600)
        assert len(server.requests) == 1
    (letter,) = store.dead_letters()
    assert letter.notification.id == "msg"
    assert "answered" in (letter.last_error or "")
    assert value(delivery, "dozor_dead_letters") == 1
    assert value(delivery, "dozor_notifications_total", receiver="webhook", result="dead") == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "s3cr3t" not in caplog.text + str(letter.last_error)


async def test_a_reason_stays_in_its_line(store: Database, deliver: Deliver, caplog: pytest.LogCaptureFixture) -> None:
    own = RecordingNotifier()
    own.failure = DeliveryError("own", "no\nFORGED \x1b[31m", recoverable=False)
    delivery = deliver(own=own)
    add(store, delivery, make_notification())
    await delivery.step()
    assert store.dead_letters()[0].last_error == "no FORGED [31m"
    assert not any("\n" in record.getMessage() for record in caplog.records)


async def test_after_a_day_it_is_given_up(store: Database, deliver: Deliver, clock: FakeClock) -> None:
    own = RecordingNotifier()
    own.failure = DeliveryError("own", "out of order")
    delivery = deliver(own=own)
    add(store, delivery, make_notification())
    while store.outbox_depth():
        await delivery.step()
        clock.advance(3000)
    (letter,) = store.dead_letters()
    assert letter.settled_at is not None
    assert abs(letter.settled_at - START - 86_400) <= 3000
    assert letter.last_error == "out of order"


async def test_the_end_is_not_told_before_the_beginning(store: Database, deliver: Deliver, clock: FakeClock) -> None:
    own = RecordingNotifier()
    own.failure = DeliveryError("own", "no")
    delivery = deliver(own=own)
    add(store, delivery, make_notification(id="firing"))
    await delivery.step()
    add(store, delivery, make_notification(id="resolved"), make_notification(id="other", group="Other"))
    own.failure = None
    await delivery.step()
    assert [each.id for each in own.notifications] == ["other"]
    clock.advance(2)
    await delivery.step()
    assert [each.id for each in own.notifications] == ["other", "firing", "resolved"]


async def test_new_rows_are_sent_at_once_when_told_of(
    store: Database, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dozor.notify.delivery._POLL_SECONDS", 3600.0)  # so late would it look by itself
    own = RecordingNotifier()
    delivery = deliver(clock=Clock(), own=own)
    delivery.start()
    await asyncio.sleep(0.05)  # let the worker find nothing and go to rest
    add(store, delivery, make_notification(created_at=time.time() - 1))
    delivery.wake()
    await eventually(lambda: len(own.notifications) == 1)


async def test_one_that_hangs_delays_nobody_else(store: Database, deliver: Deliver) -> None:
    async with receiving(receiver.hang) as slow, receiving() as quick:
        clock = Clock()
        delivery = deliver(
            clock=clock,
            slow=WebhookNotifier(slow.url, clock, name="slow", timeout_seconds=2 * PATIENCE_SECONDS),
            quick=WebhookNotifier(quick.url, clock, name="quick"),
        )
        delivery.start()
        add(store, delivery, *[make_notification(group=str(n), created_at=time.time() - 1) for n in range(10)])
        delivery.wake()
        await eventually(lambda: len(quick.requests) == 10)
        await delivery.stop(0.1)
    assert store.outbox_depth() == 10, "what the slow one was not told stays"


async def test_a_retry_needs_no_waking(store: Database, deliver: Deliver) -> None:
    async with receiving(answer(500), answer(200)) as server:
        clock = Clock()
        policy = RetryPolicy(uniform=lambda _, __: 0.05)
        delivery = deliver(clock=clock, policy=policy, webhook=WebhookNotifier(server.url, clock))
        delivery.start()
        add(store, delivery, make_notification(created_at=time.time() - 1))
        delivery.wake()
        await eventually(lambda: len(server.requests) == 2)
        await eventually(lambda: store.outbox_depth() == 0)


async def test_stopping_lets_an_attempt_end_and_leaves_the_rest(store: Database, deliver: Deliver) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    class Slow(RecordingNotifier):
        async def send(self, notification: Notification) -> None:
            begun.set()
            await release.wait()
            await super().send(notification)

    own = Slow()
    delivery = deliver(clock=Clock(), own=own)
    add(store, delivery, make_notification(created_at=1.0), make_notification(created_at=1.0, group="Other"))
    delivery.start()
    await begun.wait()
    stopping = asyncio.create_task(delivery.stop(5))
    release.set()
    await stopping
    assert len(own.notifications) == 1
    assert store.outbox_depth() == 1


async def test_stopping_takes_no_longer_than_it_may(store: Database, deliver: Deliver) -> None:
    begun = asyncio.Event()

    class Hanging:
        async def send(self, notification: Notification) -> None:
            begun.set()
            await asyncio.Event().wait()

    delivery = deliver(clock=Clock(), own=Hanging())
    add(store, delivery, make_notification(created_at=1.0))
    delivery.start()
    await begun.wait()
    began = time.monotonic()
    await delivery.stop(0.1)
    assert time.monotonic() - began < PATIENCE_SECONDS, "it hangs for ever"
    assert store.outbox_depth() == 1


async def test_a_store_that_is_away_for_a_while_makes_nobody_hear_twice(
    store: Database, deliver: Deliver, thread: StoreThread
) -> None:
    away = Away(thread)

    class Cutting(RecordingNotifier):
        async def send(self, notification: Notification) -> None:
            await super().send(notification)
            away.lost = True

    own = Cutting()
    delivery = deliver(run=away, own=own)
    add(store, delivery, make_notification())
    for _ in range(3):
        await delivery.step()
    away.lost = False
    await delivery.step()
    assert len(own.notifications) == 1
    assert store.outbox_depth() == 0


async def test_a_worker_outlives_a_store_that_fails(store: Database, thread: StoreThread) -> None:
    trouble: list[Exception] = [StoreUnavailable("away"), ValueError("a bug")]

    async def run(call: Callable[..., Any], *args: Any, timeout: float) -> Any:
        if trouble:
            raise trouble.pop()
        return await thread.run(call, *args, timeout=timeout)

    own = RecordingNotifier()
    delivery = Delivery(store, {"own": own}, Clock(), run)
    add(store, delivery, make_notification(created_at=1.0))
    delivery.start()

    def told() -> bool:
        delivery.wake()
        return bool(own.notifications)

    await eventually(told)
    await delivery.stop(1)


async def test_rows_for_receivers_that_are_gone_are_given_up_after_a_day(
    store: Database, deliver: Deliver, clock: FakeClock
) -> None:
    delivery = deliver(own=RecordingNotifier())
    store.commit(Changes(), to(["own", "gone"], make_notification()))
    clock.advance(86_400)
    assert await delivery.bury_orphans() == 0
    clock.advance(1)
    assert await delivery.bury_orphans() == 1
    assert [letter.receiver for letter in store.dead_letters()] == ["gone"]


async def test_two_deliveries_over_one_store_share_the_work(store: Database, deliver: Deliver) -> None:
    own = RecordingNotifier()
    first, second = deliver(own=own), deliver(own=own)
    add(store, first, *[make_notification(group=str(number)) for number in range(20)])
    await asyncio.gather(first.step(), second.step())
    assert len({each.id for each in own.notifications}) == len(own.notifications) == 20


async def test_stopping_closes_what_notifiers_hold_and_survives_their_errors(deliver: Deliver) -> None:
    class Closing(RecordingNotifier):
        closed = False

        async def aclose(self) -> None:
            self.closed = True
            raise ValueError("nobody cares")

    own = Closing()
    await deliver(own=own).stop(1)
    assert own.closed


async def test_figures_are_read_from_any_thread(deliver: Deliver) -> None:
    delivery = deliver(own=RecordingNotifier())
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.extend(family.name for family in delivery.families()))
    reader.start()
    reader.join()
    assert found == ["dozor_notifications_total"], "the depth is unknown until it was read"
