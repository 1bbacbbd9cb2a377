"""The outbox: claimed by lease, settled, in order, never twice at once. One suite for every database."""

from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace
from sqlalchemy import update
from tests.chaos import examples
from tests.database import records
from tests.database.records import START, make_notification, to

from dozor.database import DEAD, PENDING, SENT, Database, OutboxFilter, OutboxRow
from dozor.database.outbox import LONGEST_WAIT_SECONDS
from dozor.database.schema import outbox
from dozor.errors import ActionForbidden, NotificationNotFound
from dozor.model.notification import Changes, Notification, Outgoing

LEASE = 60.0


def add(store: Database, *notifications: Notification, receivers: tuple[str, ...] = ("webhook",)) -> None:
    store.commit(Changes(notifications=notifications), to(receivers, *notifications))


def claim(store: Database, at: float = START, limit: int = 10, receiver: str | None = None) -> list[OutboxRow]:
    return store.claim(at, LEASE, limit, receiver)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(notification=records.notifications)
def test_any_notification_comes_back_as_it_was(store: Database, notification: Notification) -> None:
    notification = replace(notification, id=uuid4().hex)  # Hypothesis likes to draw an id twice
    add(store, notification)
    rows = claim(store, at=notification.created_at)
    assert [repr(row.notification) for row in rows] == [repr(notification)]
    store.settle_sent(rows[0], notification.created_at)


def test_each_receiver_has_a_row_of_its_own(store: Database) -> None:
    notification = make_notification()
    add(store, notification, receivers=("log", "webhook"))
    rows = claim(store)
    assert [row.receiver for row in rows] == ["log", "webhook"]
    assert {row.notification.id for row in rows} == {notification.id}
    assert [row.attempts for row in rows] == [1, 1]


def test_without_receivers_there_are_no_rows(store: Database) -> None:
    add(store, make_notification(), receivers=())
    assert store.outbox_depth() == 0
    assert store.next_due() is None


def test_a_receiver_claims_its_own_rows_only(store: Database) -> None:
    add(store, make_notification(), receivers=("log", "webhook"))
    assert [row.receiver for row in claim(store, receiver="webhook")] == ["webhook"]
    assert [row.receiver for row in claim(store, receiver="log")] == ["log"]


def test_no_more_than_the_limit_is_claimed_oldest_first(store: Database) -> None:
    notifications = [make_notification(group=f"Rule{number}") for number in range(4)]
    add(store, *notifications)
    assert [row.notification.id for row in claim(store, limit=3)] == [each.id for each in notifications[:3]]


def test_a_claimed_row_is_nobody_elses_until_the_lease_ends(store: Database) -> None:
    add(store, make_notification())
    (first,) = claim(store)
    assert claim(store, at=START + LEASE - 1) == []
    assert store.next_due() == START + LEASE
    (second,) = claim(store, at=START + LEASE)
    assert (second.id, second.attempts) == (first.id, 2)


def test_sent_is_sent(store: Database) -> None:
    add(store, make_notification())
    (row,) = claim(store)
    store.settle_sent(row, START + 1)
    assert claim(store, at=START + 10_000) == []
    assert store.outbox_depth() == 0


def test_a_retry_waits_for_its_time(store: Database) -> None:
    add(store, make_notification())
    (row,) = claim(store)
    store.settle_retry(row, START + 30, "answered 500")
    assert store.next_due() == START + 30
    assert claim(store, at=START + 29) == []
    (again,) = claim(store, at=START + 30)
    assert (again.attempts, again.last_error) == (2, "answered 500")


def test_dead_letters_are_kept_with_the_reason_newest_first(store: Database) -> None:
    add(store, make_notification(id="first", group="A"), make_notification(id="second", group="B"))
    for number, row in enumerate(claim(store)):
        store.settle_dead(row, START + number, "answered 404")
    dead = store.dead_letters()
    assert [letter.notification.id for letter in dead] == ["second", "first"]
    assert (dead[0].last_error, dead[0].settled_at) == ("answered 404", START + 1)
    assert store.dead_letters(limit=1) == dead[:1]
    assert (store.outbox_counts().pending, store.outbox_counts().dead) == (0, 2)


def test_of_one_group_the_next_waits_for_the_one_before(store: Database) -> None:
    add(store, make_notification(id="firing"), make_notification(id="other", group="Other"))
    add(store, make_notification(id="resolved"))
    rows = claim(store)
    assert [row.notification.id for row in rows] == ["firing", "other"]
    store.settle_retry(rows[0], START + 5, "answered 500")
    assert claim(store, at=START + 4) == [], "the end must not be told before the beginning"
    (firing,) = claim(store, at=START + 5)
    store.settle_sent(firing, START + 5)
    assert [row.notification.id for row in claim(store, at=START + 5)] == ["resolved"]


def test_another_receivers_trouble_delays_nobody(store: Database) -> None:
    add(store, make_notification(id="one"), make_notification(id="two"), receivers=("slow", "quick"))
    claim(store, receiver="slow")
    (one,) = claim(store, receiver="quick")
    store.settle_sent(one, START)
    assert [row.notification.id for row in claim(store, receiver="quick")] == ["two"]


def test_a_late_owner_changes_nothing_but_may_say_it_arrived(store: Database) -> None:
    add(store, make_notification())
    (late,) = claim(store)
    (current,) = claim(store, at=START + LEASE)
    store.settle_retry(late, START + 1, "too late")
    store.settle_dead(late, START + 1, "too late")
    assert claim(store, at=START + LEASE + 1) == [], "the present owner's lease holds"
    store.settle_sent(late, START + LEASE + 2)
    store.settle_retry(current, START + LEASE + 3, "answered 500")
    assert store.outbox_depth() == 0, "it arrived, whatever became of the second attempt"


@pytest.mark.parametrize("claimed", [False, True])
def test_a_clock_set_back_leaves_no_row_waiting_for_ever(store: Database, claimed: bool) -> None:
    add(store, make_notification(created_at=START))
    if claimed:
        claim(store, at=START)
    assert len(claim(store, at=START - LONGEST_WAIT_SECONDS - LEASE - 1)) == 1


def test_rows_of_a_receiver_that_is_no_more_are_given_up_in_time(store: Database) -> None:
    add(store, make_notification(), receivers=("pager", "log"))
    assert store.bury(START + 5, START, ["log"]) == 0
    assert store.bury(START + 5, START + 1, ["log"]) == 1
    assert [(letter.receiver, letter.last_error) for letter in store.dead_letters()] == [
        ("pager", "no receiver of this name is set up")
    ]


def test_retention_forgets_the_sent_then_the_dead_never_the_pending(store: Database) -> None:
    add(store, *[make_notification(id=name, group=name) for name in ("sent", "dead", "pending")])
    sent, dead, _ = claim(store)
    store.settle_sent(sent, START)
    store.settle_dead(dead, START, "answered 404")
    store.retention(START + 50, keep_seconds=100, keep_sent_seconds=10)
    add(store, make_notification(id="sent", group="sent"))
    assert len(claim(store, receiver="webhook", at=START + 50)) == 1, "the sent one was forgotten, and can come anew"
    assert store.outbox_counts().dead == 1
    store.retention(START + 200, keep_seconds=100, keep_sent_seconds=10)
    assert store.outbox_counts().dead == 0
    assert store.outbox_counts().pending == 2


def test_a_row_that_cannot_be_read_is_given_up_and_blocks_nobody(store: Database) -> None:
    add(store, make_notification(id="torn"), make_notification(id="next"))
    with store._writing() as connection:
        connection.execute(update(outbox).where(outbox.c.notification_id == "torn").values(payload='{"id": 3'))
    assert claim(store) == []
    assert [row.notification.id for row in claim(store)] == ["next"]
    assert store.outbox_counts().dead == 1
    assert store.dead_letters() == []


class TestSentFromMemory:
    """What was delivered while the database was away."""

    def test_it_is_written_as_sent(self, store: Database) -> None:
        store.commit(Changes(), [Outgoing("webhook", make_notification(), START + 3)])
        assert claim(store) == []
        (row,) = store.notifications(OutboxFilter()).items
        assert (row.state, row.settled_at, row.attempts) == (SENT, START + 3, 0)

    def test_a_row_that_is_still_pending_becomes_sent(self, store: Database) -> None:
        notification = make_notification()
        add(store, notification, receivers=("log", "webhook"))
        claim(store, receiver="webhook")
        store.commit(Changes(), [Outgoing("webhook", notification, START + 3)])
        assert claim(store, at=START + LEASE, receiver="webhook") == []
        assert [row.receiver for row in claim(store)] == ["log"], "the others are another matter"

    @pytest.mark.parametrize("outcome", ["sent", "dead"])
    def test_one_that_was_settled_stays_so(self, store: Database, outcome: str) -> None:
        notification = make_notification()
        add(store, notification)
        (row,) = claim(store)
        if outcome == "sent":
            store.settle_sent(row, START + 1)
        else:
            store.settle_dead(row, START + 1, "answered 404")
        store.commit(Changes(), [Outgoing("webhook", notification, START + 3)])
        store.commit(Changes(), [Outgoing("webhook", notification)])
        (found,) = store.notifications(OutboxFilter()).items
        assert (found.state, found.settled_at) == (outcome, START + 1)


class TestLookingAtIt:
    """Pages of rows, for people."""

    def test_pages_are_newest_first_and_meet(self, store: Database) -> None:
        notifications = [make_notification() for _ in range(7)]
        add(store, *notifications)
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = store.notifications(OutboxFilter(limit=3, cursor=cursor))
            assert page.total == 7
            seen += [row.notification.id for row in page.items]
            if page.next_cursor is None:
                break
            cursor = page.next_cursor
        assert seen == [each.id for each in reversed(notifications)]

    def test_by_state_and_receiver(self, store: Database) -> None:
        add(store, make_notification(id="one", group="A"), make_notification(id="two", group="B"), receivers=("x", "y"))
        for row in claim(store, receiver="x"):
            if row.notification.id == "one":
                store.settle_sent(row, START)
            else:
                store.settle_dead(row, START, "answered 404")
        found = {
            (state, receiver): [row.notification.id for row in store.notifications(OutboxFilter(state, receiver)).items]
            for state in (PENDING, SENT, DEAD, None)
            for receiver in ("x", "y")
        }
        assert found == {
            (PENDING, "x"): [],
            (SENT, "x"): ["one"],
            (DEAD, "x"): ["two"],
            (None, "x"): ["two", "one"],
            (PENDING, "y"): ["two", "one"],
            (SENT, "y"): [],
            (DEAD, "y"): [],
            (None, "y"): ["two", "one"],
        }

    @pytest.mark.parametrize("cursor", ["!!", "W10", "Wy0xXQ", "WzFlMzBd", "é", "WzE4NDQ2NzQ0MDczNzA5NTUxNjE2XQ"])
    def test_a_cursor_nobody_gave_out_is_refused(self, store: Database, cursor: str) -> None:
        with pytest.raises(ValueError, match="not a cursor"):
            store.notifications(OutboxFilter(cursor=cursor))

    def test_counts_say_what_waits_for_whom_since_when(self, store: Database) -> None:
        assert store.outbox_counts().oldest_at is None
        add(store, make_notification(created_at=START + 2), receivers=("x", "y"))
        add(store, make_notification(created_at=START + 5), receivers=("y",))
        counts = store.outbox_counts()
        assert (counts.pending, counts.waiting, counts.oldest_at) == (3, {"x": 1, "y": 2}, START + 2)


class TestTryingAgain:
    """Dead letters that a person has sent once more."""

    def dead(self, store: Database, *receivers: str) -> list[OutboxRow]:
        add(store, make_notification(), receivers=receivers)
        rows = claim(store)
        for row in rows:
            store.settle_dead(row, START + 1, "answered 404")
        return rows

    def test_one_is_due_at_once_and_reckoned_anew(self, store: Database) -> None:
        (row,) = self.dead(store, "webhook")
        again = store.retry(row.id, START + 500)
        assert (again.state, again.attempts, again.next_at, again.settled_at) == (PENDING, 0, START + 500, None)
        assert (again.created_at, again.since) == (START, START + 500)
        assert again.last_error == "answered 404", "it is why somebody had it tried again"
        assert store.outbox_counts().oldest_at == START + 500
        (claimed,) = claim(store, at=START + 500)
        assert (claimed.id, claimed.attempts, claimed.since) == (row.id, 1, START + 500)
        assert store.bury(START + 600, START + 400, []) == 0

    def test_only_a_dead_one_can_be(self, store: Database) -> None:
        (row,) = self.dead(store, "webhook")
        store.retry(row.id, START)
        with pytest.raises(ActionForbidden, match=f"cannot retry notification {row.id}: it is pending"):
            store.retry(row.id, START)

    @pytest.mark.parametrize("row_id", [-1, 0, 10**9, 2**63, 2**70])
    def test_one_that_is_not_there_cannot(self, store: Database, row_id: int) -> None:
        with pytest.raises(NotificationNotFound):
            store.retry(row_id, START)

    def test_all_of_a_receiver_or_all(self, store: Database) -> None:
        self.dead(store, "x", "y")
        self.dead(store, "x", "z")
        assert store.retry_dead(START + 5, "x") == 2
        assert {row.receiver for row in claim(store, at=START + 5)} == {"x"}
        assert store.retry_dead(START + 5) == 2
        assert store.outbox_counts().dead == 0


@dataclass
class Expected:
    """What the machine below knows of one row."""

    id: str
    group: str
    receiver: str
    free_at: float
    settled: bool = False
    claims: list[OutboxRow] = field(default_factory=list)


class OutboxMachine(RuleBasedStateMachine):
    """Any order of commits, claims, settlements and lapses, against a plain list."""

    @initialize()
    def begin(self) -> None:
        self.store = Database("sqlite://")
        self.store.open()
        self.now = START
        self.rows: list[Expected] = []

    def teardown(self) -> None:
        self.store.close()

    @rule(group=st.sampled_from("AB"), receivers=st.sampled_from([("x",), ("x", "y")]))
    def commit(self, group: str, receivers: tuple[str, ...]) -> None:
        notification = make_notification(group=group, created_at=self.now, alerts=())
        for _ in range(2):  # repeated commits add nothing
            self.store.commit(Changes(notifications=(notification,)), to(receivers, notification))
        self.rows += [Expected(notification.id, group, receiver, self.now) for receiver in receivers]

    @rule(limit=st.integers(1, 3), receiver=st.sampled_from([None, "x", "y"]))
    def claim(self, limit: int, receiver: str | None) -> None:
        due = [each for each in self.heads() if each.free_at <= self.now and receiver in {None, each.receiver}][:limit]
        claimed = self.store.claim(self.now, LEASE, limit, receiver)
        assert [(row.notification.id, row.receiver) for row in claimed] == [(each.id, each.receiver) for each in due]
        for row, each in zip(claimed, due, strict=True):
            each.claims.append(row)
            each.free_at = self.now + LEASE
            assert row.attempts == len(each.claims)

    @precondition(lambda self: any(each.claims for each in self.rows))
    @rule(data=st.data(), outcome=st.sampled_from(["sent", "retry", "dead"]))
    def settle(self, data: st.DataObject, outcome: str) -> None:
        each = data.draw(st.sampled_from([each for each in self.rows if each.claims]))
        row = data.draw(st.sampled_from(each.claims))
        owned = row is each.claims[-1] and not each.settled
        if outcome == "sent":
            self.store.settle_sent(row, self.now)
            each.settled = True
        elif outcome == "retry":
            self.store.settle_retry(row, self.now + 10, "no")
            each.free_at = self.now + 10 if owned else each.free_at
        else:
            self.store.settle_dead(row, self.now, "no")
            each.settled = each.settled or owned

    @rule(seconds=st.sampled_from([1.0, 10.0, LEASE]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def the_books_agree(self) -> None:
        assert self.store.outbox_depth() == sum(not each.settled for each in self.rows)
        assert self.store.next_due() == min((each.free_at for each in self.heads()), default=None)

    def heads(self) -> list[Expected]:
        """The oldest unsettled row of each receiver and group, in the order of their rows."""
        first: dict[tuple[str, str], Expected] = {}
        for each in self.rows:
            if not each.settled:
                first.setdefault((each.receiver, each.group), each)
        return [each for each in self.rows if each in first.values()]


@pytest.mark.chaos
def test_no_order_of_events_loses_a_row_or_gives_it_to_two() -> None:
    run_state_machine_as_test(
        OutboxMachine, settings=settings(max_examples=examples(25), stateful_step_count=25, deadline=None)
    )
