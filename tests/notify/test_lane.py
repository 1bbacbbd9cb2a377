"""What a delivery does for each receiver beside the outbox: its pace, its breaker, its correspondence, its record."""

import asyncio
import threading
from typing import Any

import pytest
from msgspec.structs import replace
from tests.database.records import make_alert, make_notification
from tests.notify.delivering import Chat, Deliver, add, value

from dozor.database import Database, StoreThread
from dozor.errors import ChannelNotFound, DeliveryError, StoreUnavailable
from dozor.model.notification import Notification, Occasion, SentMessage
from dozor.notify import ChannelCondition, ChannelState, Delivery, Receiver, Route, Speaker
from dozor.notify.sending import SEND_LIMIT_SECONDS
from dozor.store.matchers import parse_matcher
from dozor.testing import FakeClock, RecordingNotifier

pytestmark = pytest.mark.anyio


def state(delivery: Delivery[Any], name: str = "own") -> ChannelState:
    return next(each for each in delivery.channels() if each.name == name)


def failing(**how: Any) -> RecordingNotifier:
    notifier = RecordingNotifier()
    notifier.failure = DeliveryError("own", "out of order", **how)
    return notifier


def many(count: int) -> list[Notification]:
    return [make_notification(group=str(number)) for number in range(count)]


async def test_who_was_given_more_time_gets_it_and_says_itself_that_it_is_over(deliver: Deliver) -> None:
    delivery = deliver(slow=Receiver(RecordingNotifier(), timeout_seconds=60.0), other=RecordingNotifier())
    limits = {name: lane.send_limit_seconds for name, lane in delivery._lanes.items()}
    assert limits == {"slow": 62.0, "other": SEND_LIMIT_SECONDS}
    assert delivery._lease_seconds > 62.0, "nobody else takes up what is still being sent"


# --- pace ---


async def test_a_receiver_is_sent_no_more_than_it_bears(store: Database, deliver: Deliver, clock: FakeClock) -> None:
    own, other = RecordingNotifier(), RecordingNotifier()
    delivery = deliver(own=Receiver(own, rate=(1.0, 2)), other=other)
    add(store, delivery, *many(5))
    for heard in (2, 3, 4, 5):
        await delivery.step()
        assert len(own.notifications) == heard
        assert len(other.notifications) == 5
        clock.advance(1)
    assert value(delivery, "dozor_notification_latency_seconds_sum", receiver="own") == 0 + 0 + 1 + 2 + 3


async def test_what_waits_for_its_turn_is_not_claimed(store: Database, deliver: Deliver) -> None:
    delivery = deliver(own=Receiver(RecordingNotifier(), rate=(0.1, 1)))
    first, second = many(2)
    add(store, delivery, first, second)
    await delivery.step()
    (row,) = store.claim(first.created_at, 1, 10)
    assert row.notification.id == second.id
    assert row.attempts == 1


# --- breaker ---


async def test_a_receiver_that_fails_again_and_again_is_left_alone(
    store: Database, deliver: Deliver, clock: FakeClock
) -> None:
    own = failing()
    delivery = deliver(own=own)
    add(store, delivery, *many(20))
    await delivery.step()
    assert value(delivery, "dozor_notifications_total", receiver="own", result="failed") == 5
    assert value(delivery, "dozor_receiver_open", receiver="own") == 1
    found = state(delivery)
    assert found.state is ChannelCondition.OPEN
    assert found.retry_at == clock.timestamp() + 30
    assert found.waiting == 20
    clock.advance(29)
    await delivery.step()
    assert value(delivery, "dozor_notifications_total", receiver="own", result="failed") == 5, "none while it is open"
    clock.advance(1)
    await delivery.step()
    assert value(delivery, "dozor_notifications_total", receiver="own", result="failed") == 6, "one probe"
    own.failure = None
    clock.advance(60)
    await delivery.step()
    assert len(own.notifications) == 20
    assert state(delivery).state is ChannelCondition.OK
    assert value(delivery, "dozor_receiver_open", receiver="own") == 0


async def test_what_is_hopeless_does_not_open_it(store: Database, deliver: Deliver) -> None:
    delivery = deliver(own=failing(recoverable=False))
    add(store, delivery, *many(8))
    await delivery.step()
    assert len(store.dead_letters()) == 8
    assert state(delivery).state is ChannelCondition.FAILING
    assert state(delivery).dead == 8


async def test_all_wait_when_a_receiver_asks_to_be_left_alone(
    store: Database, deliver: Deliver, clock: FakeClock
) -> None:
    own = failing(retry_after_seconds=45)
    delivery = deliver(own=own)
    add(store, delivery, *many(3))
    await delivery.step()
    assert state(delivery).failed == 1
    assert state(delivery).retry_at == clock.timestamp() + 45
    own.failure = None
    clock.advance(44)
    await delivery.step()
    assert own.notifications == []
    clock.advance(1)
    await delivery.step()
    assert len(own.notifications) == 3


# --- messages that can be changed ---


async def test_a_correspondent_is_handed_what_it_sent_before(store: Database, deliver: Deliver) -> None:
    chat, alert = Chat(), make_alert()
    delivery = deliver(chat=chat, own=RecordingNotifier())
    add(store, delivery, make_notification(id="1", alerts=(alert,)))
    await delivery.step()
    seen = replace(alert, value=99.0)
    add(store, delivery, make_notification(id="2", alerts=(seen,), occasion=Occasion.ACKNOWLEDGED))
    await delivery.step()
    assert chat.earlier == [(), (SentMessage("ts-1", (alert,)),)]
    assert store.messages("chat", [alert.id]) == [SentMessage("ts-1", (seen,))]
    assert store.messages("own", [alert.id]) == []


async def test_after_a_restart_it_is_handed_what_the_store_remembers(store: Database, deliver: Deliver) -> None:
    alert, chat = make_alert(), Chat()
    before = deliver(chat=Chat())
    add(store, before, make_notification(id="1", alerts=(alert,)))
    await before.step()
    after = deliver(chat=chat)
    add(store, after, make_notification(id="2", alerts=(alert,)))
    await after.step()
    assert chat.earlier == [(SentMessage("ts-1", (alert,)),)]


async def test_people_are_told_though_it_cannot_be_read_what_was_sent(
    store: Database, deliver: Deliver, thread: StoreThread
) -> None:
    async def run(call: Any, *args: Any, timeout: float) -> Any:
        if call == store.messages:
            raise StoreUnavailable("slow")
        return await thread.run(call, *args, timeout=timeout)

    chat = Chat()
    delivery = deliver(run=run, chat=chat)
    add(store, delivery, make_notification())
    await delivery.step()
    assert chat.earlier == [()]


async def test_what_a_correspondent_answers_wrongly_has_arrived_all_the_same(
    store: Database, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd(RecordingNotifier):
        async def correspond(self, notification: Notification, earlier: object) -> object:
            await self.send(notification)
            return ["1700000000.1"]

    odd = Odd()
    delivery = deliver(odd=odd)
    add(store, delivery, make_notification())
    await delivery.step()
    await delivery.step()
    assert len(odd.notifications) == 1
    assert store.outbox_depth() == 0
    assert "not the messages that it sent" in caplog.text


# --- who is told ---


async def test_routes_decide_what_is_written_for_whom(store: Database, deliver: Deliver) -> None:
    own, pager = RecordingNotifier(), RecordingNotifier()
    only = Route((parse_matcher('alertname="Disk"'),), ("pager",))
    delivery = deliver(routes=(only,), own=own, pager=pager)
    add(store, delivery, make_notification(id="all"))
    disk = make_alert(rule="Disk")
    add(store, delivery, make_notification(id="disk", group="Disk", alerts=(disk,)))
    await delivery.step()
    assert [each.id for each in pager.notifications] == ["all", "disk"]
    assert [each.id for each in own.notifications] == ["all"]


# --- what is said again ---


class Forgetful(RecordingNotifier):
    """One that forgets what it does not hear of."""

    refresh_seconds = 60.0

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Notification] = []

    async def refresh(self, notification: Notification) -> None:
        if self.failure is not None:
            raise self.failure
        self.heard.append(notification)


async def test_what_fires_is_said_again_in_its_time(store: Database, thread: StoreThread, clock: FakeClock) -> None:
    own = Forgetful()
    speaker = Speaker("shop", "production", "https://dozor.example")
    delivery = Delivery(store, {"own": own, "other": RecordingNotifier()}, clock, thread.run, speaker=speaker)
    alerts = [make_alert(), make_alert()]
    for _ in range(121):
        await delivery.refresh(alerts)
        clock.advance(1)
    assert [each.created_at - own.heard[0].created_at for each in own.heard] == [0, 60, 120]
    assert own.heard[0].alerts == tuple(alerts)
    assert (own.heard[0].service, own.heard[0].environment) == ("shop", "production")


async def test_only_what_was_told_there_is_said_again(deliver: Deliver) -> None:
    own, alerts = Forgetful(), [make_alert(component="redis"), make_alert()]
    away = Route((parse_matcher('component="redis"'),), ("other",))
    delivery = deliver(routes=(away,), own=own, other=RecordingNotifier())
    await delivery.refresh(alerts)
    assert own.heard[0].alerts == (alerts[1],)


@pytest.mark.parametrize("error", [DeliveryError("own", "down"), ValueError("s3cr3t")])
async def test_a_failure_to_say_it_again_is_contained_and_shown(
    deliver: Deliver, clock: FakeClock, error: Exception
) -> None:
    own = Forgetful()
    own.failure = error
    delivery = deliver(own=own)
    await delivery.refresh([make_alert()])
    found = state(delivery)
    assert found.state is ChannelCondition.FAILING
    assert found.last_error in ("down", "its notifier raised ValueError")
    own.failure = None
    clock.advance(60)
    await delivery.refresh([make_alert()])
    assert state(delivery).state is ChannelCondition.OK


async def test_nothing_is_said_again_while_an_end_is_being_told(store: Database, deliver: Deliver) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    class Slow(Forgetful):
        async def send(self, notification: Notification) -> None:
            begun.set()
            await release.wait()

    own = Slow()
    delivery = deliver(own=own)
    add(store, delivery, make_notification())
    step = asyncio.create_task(delivery.step())
    await begun.wait()
    await delivery.refresh([make_alert()])
    assert own.heard == []
    release.set()
    await step
    await delivery.refresh([make_alert()])
    assert len(own.heard) == 1


# --- trying a channel ---


async def test_a_channel_is_tried_with_a_message_that_says_so(deliver: Deliver) -> None:
    own = RecordingNotifier()
    delivery = deliver(own=own)
    assert await delivery.test("own") >= 0
    (notification,) = own.notifications
    assert notification.alerts[0].annotations["summary"] == "This is a test: nothing is wrong"
    assert value(delivery, "dozor_notifications_total", receiver="own", result="sent") == 0, "it told of no alert"
    assert state(delivery).last_success_at is not None


async def test_what_keeps_track_of_alerts_is_told_of_the_end_of_the_test(deliver: Deliver) -> None:
    chat = Chat()
    await deliver(chat=chat).test("chat")
    first, second = chat.notifications
    assert (first.occasion, second.occasion) == (Occasion.FIRING, Occasion.RESOLVED)
    assert first.alerts[0].id == second.alerts[0].id
    assert first.id != second.id
    assert chat.earlier[1] == (SentMessage(f"ts-{first.id}", first.alerts),), "and it changes the same message"


async def test_a_test_speaks_the_language_that_was_chosen(
    store: Database, thread: StoreThread, clock: FakeClock
) -> None:
    own = RecordingNotifier()
    await Delivery(store, {"own": own}, clock, thread.run, speaker=Speaker("shop", locale="ru")).test("own")
    assert own.notifications[0].alerts[0].annotations["summary"].startswith("Это проверка")
    assert own.notifications[0].service == "shop"


async def test_a_test_that_fails_says_why(deliver: Deliver) -> None:
    delivery = deliver(own=failing())
    with pytest.raises(DeliveryError, match="out of order"):
        await delivery.test("own")
    with pytest.raises(ChannelNotFound, match="'phone'; there are: own"):
        await delivery.test("phone")


async def test_a_test_that_succeeds_closes_the_breaker(store: Database, deliver: Deliver) -> None:
    own = failing()
    delivery = deliver(own=own)
    add(store, delivery, *many(6))
    await delivery.step()
    assert state(delivery).state is ChannelCondition.OPEN
    own.failure = None
    await delivery.test("own")
    await delivery.step()
    assert state(delivery).state is ChannelCondition.OK
    assert len(own.notifications) == 2, "the test, and the one that was not tried yet"


# --- the record ---


async def test_a_channel_shows_how_it_fares(store: Database, deliver: Deliver, clock: FakeClock) -> None:
    own = failing()
    delivery = deliver(own=Receiver(own, kind="chat"))
    assert state(delivery) == ChannelState("own", "chat", "", ChannelCondition.UNUSED)
    began = clock.timestamp()
    add(store, delivery, make_notification())
    await delivery.step()
    assert state(delivery) == ChannelState(
        "own",
        "chat",
        "",
        ChannelCondition.FAILING,
        waiting=1,
        failed=1,
        last_failure_at=began,
        last_error="out of order",
    )
    own.failure = None
    clock.advance(2)
    await delivery.step()
    assert state(delivery) == ChannelState(
        "own",
        "chat",
        "",
        ChannelCondition.OK,
        sent=1,
        failed=1,
        last_success_at=began + 2,
        last_failure_at=began,
    )


async def test_it_is_read_from_any_thread(store: Database, deliver: Deliver) -> None:
    delivery = deliver(own=RecordingNotifier())
    add(store, delivery, *many(30))
    found: list[object] = []
    reader = threading.Thread(target=lambda: found.extend([*delivery.channels(), *delivery.families()]))
    reader.start()
    await delivery.step()
    reader.join()
    assert found


async def test_figures_say_how_receivers_stand(store: Database, deliver: Deliver, clock: FakeClock) -> None:
    delivery = deliver(own=failing(), other=RecordingNotifier())
    only = make_notification(created_at=clock.timestamp() - 7)
    add(store, delivery, only)
    await delivery.step()
    assert value(delivery, "dozor_receiver_up", receiver="own") == 0
    assert value(delivery, "dozor_receiver_up", receiver="other") == 1
    assert value(delivery, "dozor_outbox_oldest_seconds") == 7
    assert value(delivery, "dozor_notification_seconds_count", receiver="other") == 1
    assert value(delivery, "dozor_notification_latency_seconds_sum", receiver="other") == 7
    assert value(delivery, "dozor_notifications_total", receiver="own", result="dead") == 0
