"""What is known to be on its way."""

import pytest
from tests.database.records import make_alert, make_notification

from dozor.model.notification import Notification, SentMessage
from dozor.notify.letters import Letters


def note(name: str, group: str = "A") -> Notification:
    return make_notification(id=name, group=group)


def due(letters: Letters, at: float = 0.0) -> str | None:
    letter = letters.due(at)
    return letter.notification.id if letter is not None else None


def test_what_the_database_delivers_is_not_sent_from_memory() -> None:
    letters = Letters()
    letters.expect(note("1"))
    assert len(letters) == 1
    assert letters.due(0) is None
    assert letters.next_due() is None


def test_what_is_released_goes_after_what_is_unsent_of_its_group() -> None:
    letters = Letters()
    for name, group in [("a1", "A"), ("b1", "B"), ("a2", "A"), ("c1", "C")]:
        letters.expect(note(name, group))
    letters.release(note("a3"))
    sent = []
    while (following := due(letters)) is not None:
        sent.append(following)
        letters.arrived(following, 1.0, ())
    assert sent == ["a1", "a2", "a3"]
    assert len(letters) == 2, "nothing of the other groups was released"


def test_what_waits_holds_up_its_group_and_no_other() -> None:
    letters = Letters()
    for name, group in [("a1", "A"), ("a2", "A"), ("b1", "B")]:
        letters.release(note(name, group))
    letters.postpone("a1", 10.0)
    assert due(letters, 0) == "b1"
    letters.postpone("b1", 20.0)
    assert due(letters, 9) is None
    assert letters.next_due() == 10
    assert due(letters, 10) == "a1"


def test_what_arrived_is_known_until_the_database_knows() -> None:
    letters = Letters()
    letters.release(note("1"))
    letters.arrived("1", 5.0, ())
    letters.expect(note("1"))
    letters.release(note("1"))
    assert due(letters) is None
    arrival = letters.arrival("1")
    assert arrival is not None
    assert arrival.at == 5
    letters.forget("1")
    assert letters.arrival("1") is None


def test_a_row_that_memory_did_not_know_goes_before_the_rest() -> None:
    letters = Letters()
    letters.release(note("later"))
    letters.expect(note("row"), oldest=True)
    assert due(letters) == "row"


def test_there_is_an_end_to_memory_and_the_oldest_go_first() -> None:
    letters = Letters(limit=3)
    letters.expect(note("0"))
    for number in range(1, 6):
        letters.release(note(str(number)))
    assert len(letters) == 3
    assert due(letters) == "3"
    assert letters.dropped == 2, "the one that the database has is not counted"


def test_postponing_what_is_gone_is_nothing() -> None:
    letters = Letters()
    letters.postpone("gone", 1.0)
    letters.forget("gone")
    assert letters.next_due() is None


@pytest.mark.parametrize("stored", [True, False])
def test_messages_are_as_they_were_last_sent(stored: bool) -> None:
    letters = Letters()
    one, two = make_alert(), make_alert()
    old = SentMessage("ts-1", (one, two))
    new = SentMessage("ts-1", (make_alert(id=one.id, value=1.0), two))
    letters.remember([new])
    assert letters.shown({two.id}, [old] if stored else []) == (new,)
    assert letters.shown({"other"}, []) == ()


def test_an_alert_is_shown_where_it_was_shown_last() -> None:
    letters = Letters()
    one, two = make_alert(), make_alert()
    letters.remember([SentMessage("ts-1", (one, two))])
    letters.remember([SentMessage("ts-2", (one,))])
    assert {each.reference for each in letters.shown({one.id}, [SentMessage("ts-1", (one, two))])} == {"ts-1", "ts-2"}
    assert letters.shown({two.id}, []) == (SentMessage("ts-1", (two,)),)
    letters.remember([SentMessage("ts-2", (one, two))])
    assert letters.shown({one.id, two.id}, []) == (SentMessage("ts-2", (one, two)),)


def test_messages_of_long_ago_are_left_to_the_database() -> None:
    letters = Letters()
    alerts = [make_alert() for _ in range(300)]
    letters.remember(SentMessage(f"ts-{number}", (alert,)) for number, alert in enumerate(alerts))
    assert letters.shown({alerts[0].id}, []) == ()
    assert letters.shown({alerts[-1].id}, []) == (SentMessage("ts-299", (alerts[-1],)),)
