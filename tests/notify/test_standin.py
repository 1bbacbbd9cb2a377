"""Word that arrives while the database is away, once and in its order."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos import CHAOS
from tests.database.records import make_alert, make_notification
from tests.notify.delivering import CEILING, Away, Chat, Deliver, eventually, value
from tests.patience import PATIENCE_SECONDS

from dozor.clock import Clock
from dozor.database import Database, StoreThread
from dozor.database.journal import Journal
from dozor.errors import DeliveryError, StoreUnavailable
from dozor.model.notification import Changes, Notification
from dozor.notify import Delivery, RetryPolicy
from dozor.testing import FakeClock, RecordingNotifier

pytestmark = pytest.mark.anyio


class World:
    """A delivery, and a journal that hands over what it cannot commit, as a session's does."""

    def __init__(self, store: Database, away: Away, delivery: Delivery[Any]) -> None:
        self.store, self.away, self.delivery = store, away, delivery
        self._journal: deque[Changes] = deque()
        self._handed_over: set[int] = set()

    async def tell(self, *notifications: Notification) -> None:
        self._journal.append(Changes(notifications=notifications))
        await self.commit()

    async def commit(self) -> None:
        """Commit what waits; hand over what cannot be, each once."""
        while self._journal:
            changes = self._journal[0]
            try:
                await self.away(self.store.commit, changes, self.delivery.route(changes.notifications), timeout=5)
            except StoreUnavailable:
                for each in self._journal:
                    if id(each) not in self._handed_over:
                        self._handed_over.add(id(each))
                        self.delivery.stand_in(each.notifications)
                return
            self._journal.popleft()
        self.delivery.wake()


@pytest.fixture
def away(thread: StoreThread) -> Away:
    return Away(thread)


@pytest.fixture
def world(store: Database, away: Away, deliver: Deliver) -> Callable[..., World]:
    return lambda **given: World(store, away, deliver(run=away, **given))


MakeWorld = Callable[..., World]


def ids(notifier: RecordingNotifier) -> list[str]:
    return [each.id for each in notifier.notifications]


async def test_people_are_told_at_once_and_once_though_nothing_can_be_written(
    world: MakeWorld, store: Database, away: Away
) -> None:
    own = RecordingNotifier()
    here = world(own=own)
    away.lost = True
    await here.tell(make_notification(id="msg"))
    await here.delivery.step()
    assert ids(own) == ["msg"]
    away.lost = False
    await here.commit()
    await here.delivery.step()
    assert ids(own) == ["msg"]
    assert store.outbox_counts().pending == 0
    assert value(here.delivery, "dozor_notifications_total", receiver="own", result="sent") == 1


async def test_what_was_delivered_meanwhile_is_committed_as_sent(
    world: MakeWorld, away: Away, clock: FakeClock
) -> None:
    here = world(own=RecordingNotifier())
    away.lost = True
    notification = make_notification()
    await here.tell(notification)
    await here.delivery.step()
    clock.advance(100)
    (outgoing,) = here.delivery.route([notification])
    assert outgoing.sent_at == clock.timestamp() - 100


async def test_what_has_not_arrived_by_then_goes_on_from_the_outbox(
    world: MakeWorld, store: Database, away: Away, clock: FakeClock
) -> None:
    own = RecordingNotifier()
    own.failure = DeliveryError("own", "out of order")
    here = world(own=own)
    away.lost = True
    await here.tell(make_notification(id="msg"))
    await here.delivery.step()
    away.lost, own.failure = False, None
    await here.commit()
    assert store.outbox_depth() == 1
    await here.delivery.step()
    assert ids(own) == ["msg"]
    clock.advance(10)
    await here.delivery.step()
    assert ids(own) == ["msg"]


async def test_it_is_tried_again_from_memory_as_from_the_outbox(world: MakeWorld, away: Away, clock: FakeClock) -> None:
    own = RecordingNotifier()
    own.failure = DeliveryError("own", "out of order")
    here = world(own=own)
    away.lost = True
    await here.tell(make_notification(id="1"))
    await here.tell(make_notification(id="2"), make_notification(id="other", group="Other"))
    await here.delivery.step()
    own.failure = None
    clock.advance(1.9)
    await here.delivery.step()
    assert ids(own) == [], "the first span is 2 s"
    clock.advance(0.1)
    await here.delivery.step()
    assert ids(own) == ["1", "2", "other"]


async def test_the_end_does_not_overtake_a_beginning_that_the_outbox_has(
    world: MakeWorld, store: Database, away: Away, clock: FakeClock
) -> None:
    own = RecordingNotifier()
    own.failure = DeliveryError("own", "out of order")
    here = world(own=own)
    await here.tell(make_notification(id="firing"))
    await here.delivery.step()
    away.lost, own.failure = True, None
    await here.tell(make_notification(id="resolved"))
    await here.delivery.step()
    assert ids(own) == []
    clock.advance(2)
    await here.delivery.step()
    assert ids(own) == ["firing", "resolved"]
    away.lost = False
    await here.commit()
    await here.delivery.step()
    assert ids(own) == ["firing", "resolved"]
    assert store.outbox_depth() == 0


async def test_what_is_hopeless_is_left_to_become_a_dead_letter(
    world: MakeWorld, store: Database, away: Away, clock: FakeClock
) -> None:
    own = RecordingNotifier()
    own.failure = DeliveryError("own", "no such chat", recoverable=False)
    here = world(own=own)
    away.lost = True
    await here.tell(make_notification(id="msg"))
    for _ in range(3):
        await here.delivery.step()
        clock.advance(60)
    assert value(here.delivery, "dozor_notifications_total", result="failed") == 1
    away.lost = False
    await here.commit()
    await here.delivery.step()
    assert [letter.notification.id for letter in store.dead_letters()] == ["msg"]


async def test_a_chat_goes_on_with_its_messages(world: MakeWorld, store: Database, away: Away) -> None:
    chat, alert = Chat(), make_alert()
    here = world(chat=chat)
    await here.tell(make_notification(id="1", alerts=(alert,)))
    await here.delivery.step()
    away.lost = True
    other = make_alert()
    await here.tell(make_notification(id="2", alerts=(alert, other)))
    await here.delivery.step()
    assert [message.reference for message in chat.earlier[1]] == ["ts-1"]
    away.lost = False
    await here.commit()
    await here.delivery.step()
    assert ids(chat) == ["1", "2"]
    stored = {message.reference: message.alerts for message in store.messages("chat", [alert.id, other.id])}
    assert stored == {"ts-1": (alert,), "ts-2": (other,)}, "what was sent from memory is remembered after all"


async def test_a_database_that_hangs_delays_nobody(store: Database, deliver: Deliver) -> None:
    release = asyncio.Event()

    async def hang(call: Callable[..., Any], *args: Any, timeout: float) -> Any:
        await release.wait()
        raise StoreUnavailable("it hung")

    own = RecordingNotifier()
    delivery = deliver(clock=Clock(), run=hang, own=own)
    delivery.start()
    await asyncio.sleep(0)
    delivery.stand_in([make_notification()])
    await eventually(lambda: len(own.notifications) == 1)
    release.set()


async def test_a_journal_hands_over_what_it_cannot_write(store: Database, deliver: Deliver, away: Away) -> None:
    own = RecordingNotifier()
    delivery = deliver(clock=Clock(), run=away, own=own)

    async def commit(changes: Changes) -> None:
        await away(store.commit, changes, delivery.route(changes.notifications), timeout=5)

    journal = Journal(commit, delivery.wake, on_failing=lambda changes: delivery.stand_in(changes.notifications))
    delivery.start()
    writing = asyncio.create_task(journal.run())
    away.lost = True
    sent = [make_notification(created_at=1.0) for _ in range(3)]
    written = [journal.write(Changes(notifications=(each,))) for each in sent]
    await eventually(lambda: len(own.notifications) == 3)
    away.lost = False
    await asyncio.wait_for(asyncio.gather(*written), PATIENCE_SECONDS)
    await eventually(lambda: store.outbox_depth() == 0)
    assert ids(own) == [each.id for each in sent]
    writing.cancel()


async def test_stopping_leaves_the_rest(deliver: Deliver, away: Away) -> None:
    begun = asyncio.Event()

    class Slow(RecordingNotifier):
        async def send(self, notification: Notification) -> None:
            begun.set()
            await super().send(notification)
            await asyncio.sleep(0.05)

    own, away.lost = Slow(), True
    delivery = deliver(clock=Clock(), run=away, own=own)
    delivery.start()
    delivery.stand_in([make_notification(), make_notification()])
    await begun.wait()
    await delivery.stop(5)
    assert len(own.notifications) == 1


async def test_a_restart_of_the_journal_that_was_written_unheard_makes_nobody_hear_twice(
    world: MakeWorld, store: Database, away: Away, clock: FakeClock
) -> None:
    own = RecordingNotifier()
    here = world(own=own)
    away.unheard = True
    await here.tell(make_notification(id="msg"))
    assert store.outbox_depth() == 1, "it was committed after all"
    await here.delivery.step()
    assert ids(own) == ["msg"]
    away.unheard = False
    await here.commit()
    clock.advance(60)
    await here.delivery.step()
    assert ids(own) == ["msg"]
    assert store.outbox_depth() == 0


_operations = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.sampled_from("ABC")),
        st.tuples(st.just("store"), st.sampled_from(["there", "lost", "unheard"])),
        st.tuples(st.sampled_from(["own", "chat"]), st.sampled_from(["well", "failing"])),
        st.tuples(st.just("time"), st.sampled_from([0.5, 3.0, 31.0, 200.0])),
        st.tuples(st.just("step"), st.none()),
    ),
    min_size=5,
    max_size=40,
)


@settings(max_examples=500 if CHAOS else 12)
@given(_operations)
def test_whatever_fails_when_everybody_hears_everything_once_and_in_order(operations: list[tuple[str, Any]]) -> None:
    asyncio.run(_live(operations))


async def _live(operations: list[tuple[str, Any]]) -> None:
    store, thread, clock = Database("sqlite://"), StoreThread(), FakeClock()
    store.open()
    receivers = {"own": RecordingNotifier(), "chat": Chat()}
    away = Away(thread)
    policy = RetryPolicy(give_up_after_seconds=1e9, uniform=CEILING.uniform)
    here = World(store, away, Delivery(store, receivers, clock, away, policy=policy))
    told: dict[str, list[str]] = defaultdict(list)
    alerts = {group: make_alert(rule=group) for group in "ABC"}
    for verb, what in operations:
        if verb == "tell":
            notification = make_notification(group=what, created_at=clock.timestamp(), alerts=(alerts[what],))
            told[what].append(notification.id)
            await here.tell(notification)
        elif verb == "store":
            away.lost, away.unheard = what == "lost", what == "unheard"
            await here.commit()
        elif verb == "time":
            clock.advance(what)
        elif verb == "step":
            await here.delivery.step()
        else:
            receivers[verb].failure = DeliveryError(verb, "out of order") if what == "failing" else None
    away.lost = away.unheard = False
    for receiver in receivers.values():
        receiver.failure = None
    await here.commit()
    for _ in range(3):  # a breaker's longest span, a lease
        clock.advance(301)
        await here.delivery.step()
    assert store.outbox_depth() == 0
    for receiver in receivers.values():
        heard: dict[str, list[str]] = defaultdict(list)
        for each in receiver.notifications:
            heard[each.group].append(each.id)
        assert heard == told
    store.close()
    assert thread.close(5)
