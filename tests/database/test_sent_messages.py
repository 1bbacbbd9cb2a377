"""Messages at receivers that can be changed later: one suite for every database."""

import pytest
from msgspec.structs import replace
from tests.database.records import START, make_alert, make_notification, to

from dozor.database import Database, OutboxRow
from dozor.model.alert import Alert
from dozor.model.notification import Changes, SentMessage


def send(store: Database, *messages: SentMessage, receiver: str = "slack", at: float = START) -> None:
    """Deliver something to *receiver*, after which it shows *messages*."""
    alerts = tuple(alert for message in messages for alert in message.alerts)
    notification = make_notification(alerts=alerts)
    store.commit(Changes(alerts=alerts), to([receiver], notification))
    (row,) = store.claim(START, 60, 1, receiver)
    store.settle_sent(row, at, messages)


@pytest.fixture
def pair() -> tuple[Alert, Alert]:
    return make_alert(id="a"), make_alert(id="b")


def test_a_message_is_found_by_each_of_its_alerts_and_whole(store: Database, pair: tuple[Alert, Alert]) -> None:
    message = SentMessage("C1/17.4", pair)
    send(store, message)
    for wanted in (["a"], ["b"], ["a", "b", "unknown"]):
        assert store.messages("slack", wanted) == [message]
    assert store.messages("slack", ["unknown"]) == []
    assert store.messages("slack", []) == []
    assert store.messages("another", ["a"]) == []


def test_the_order_of_its_alerts_is_kept(store: Database, pair: tuple[Alert, Alert]) -> None:
    send(store, SentMessage("1", pair[::-1]))
    assert store.messages("slack", ["a"]) == [SentMessage("1", pair[::-1])]


def test_what_it_shows_now_takes_the_place_of_what_it_showed(store: Database, pair: tuple[Alert, Alert]) -> None:
    first, second = pair
    send(store, SentMessage("1", pair))
    ended = replace(second, resolved_at=START + 9)
    send(store, SentMessage("1", (ended,)), at=START + 1)
    assert store.messages("slack", ["b"]) == [SentMessage("1", (ended,))]
    assert store.messages("slack", [first.id]) == []


def test_an_alert_belongs_to_the_last_message_about_it(store: Database, pair: tuple[Alert, Alert]) -> None:
    first, second = pair
    send(store, SentMessage("1", pair))
    send(store, SentMessage("2", (second,)), at=START + 1)
    assert store.messages("slack", ["a", "b"]) == [SentMessage("1", (first,)), SentMessage("2", (second,))]


def test_receivers_have_messages_of_their_own(store: Database, pair: tuple[Alert, Alert]) -> None:
    send(store, SentMessage("1", pair), receiver="slack")
    send(store, SentMessage("1", pair[:1]), receiver="telegram")
    assert store.messages("slack", ["a"]) == [SentMessage("1", pair)]
    assert store.messages("telegram", ["a"]) == [SentMessage("1", pair[:1])]


def test_a_storms_message_is_found_by_all_its_alerts_at_once(store: Database) -> None:
    alerts = tuple(make_alert(evidence={}) for _ in range(3000))
    send(store, SentMessage("1", alerts))
    (found,) = store.messages("slack", [alert.id for alert in alerts])
    assert len(found.alerts) == 3000


def test_settling_twice_changes_nothing(store: Database, pair: tuple[Alert, Alert]) -> None:
    message = SentMessage("1", pair)
    send(store, message)
    row = OutboxRow(1, "slack", make_notification(), 1, START)
    store.settle_sent(row, START + 1, [message])
    assert store.messages("slack", ["a"]) == [message]


def test_messages_go_when_nothing_can_change_them_any_more(store: Database, pair: tuple[Alert, Alert]) -> None:
    firing, other = pair
    ended = replace(other, resolved_at=START)
    send(store, SentMessage("both", (firing, ended)))
    send(store, SentMessage("over", (make_alert(id="c", resolved_at=START),)))
    send(store, SentMessage("late", (make_alert(id="d", resolved_at=START + 95),)))
    store.retention(START + 100, keep_sent_seconds=10)
    assert len(store.messages("slack", ["b"])[0].alerts) == 2
    assert store.messages("slack", ["c"]) == []
    assert store.messages("slack", ["d"]) != []
