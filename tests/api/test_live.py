"""What streams carry: whatever happens and however somebody reads, applying the events gives the document as it is."""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.streaming import Parser
from tests.test_merge_patch import documents

from dozor.api.live import TAIL_BYTES, Live, Position, Tail, parse_position
from dozor.errors import StoreUnavailable
from dozor.merge_patch import patched
from dozor.testing import FakeClock


class World:
    """A document that changes, and readers that come, sleep and go."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.document: dict[str, Any] = {}
        self.live = Live(lambda: self.document, self.clock, most=100)
        self.live.open()

    def becomes(self, document: dict[str, Any]) -> None:
        self.document = document
        self.clock.advance(1)
        self.live.look()


class Reader:
    """What one reader knows, and where it stands."""

    def __init__(self) -> None:
        self.position: Position | None = None
        self.state: Any = None

    def catches_up(self, live: Live) -> None:
        self.position, events = live.catch_up(self.position)
        for event in Parser().feed(b"".join(events).decode()):
            self.state = event.data if event.name == "overview" else patched(self.state, event.data)
            assert parse_position(event.id) is not None


@given(steps=st.lists(st.tuples(documents, st.sets(st.integers(0, 2))), max_size=12))
def test_applying_the_events_gives_exactly_the_document(steps: list[tuple[dict[str, Any], set[int]]]) -> None:
    async def play() -> None:
        world = World()
        world.live.subscribe()
        readers = [Reader() for _ in range(3)]
        for document, reading in steps:
            world.becomes(document)
            for number in reading:
                readers[number].catches_up(world.live)
                assert readers[number].state == document

    asyncio.run(play())


@given(cuts=st.lists(st.integers(0, 400), max_size=6))
def test_events_arrive_however_they_are_cut(cuts: list[int]) -> None:
    whole = b'event: patch\ndata: {"a":"\xc3\xa9\\n"}\nid: r-1\n\n: ping\n\nevent: patch\ndata: {"b":1}\nid: r-2\n\n'.decode()
    places = sorted({0, len(whole), *(cut % len(whole) for cut in cuts)})
    parser = Parser()
    found = [event for first, last in itertools.pairwise(places) for event in parser.feed(whole[first:last])]
    assert [(event.name, event.data, event.id) for event in found] == [
        ("patch", {"a": "é\n"}, "r-1"), ("", None, ""), ("patch", {"b": 1}, "r-2"),
    ]  # fmt: skip


@given(sizes=st.lists(st.sampled_from([10, 1000, TAIL_BYTES // 3, TAIL_BYTES + 1]), max_size=20))
def test_the_tail_is_bounded_and_knows_where_it_begins(sizes: list[int]) -> None:
    tail = Tail("r")
    for size in sizes:
        tail = tail.with_(b"x" * size)
        assert len(tail.events) <= 1 or sum(map(len, tail.events)) <= TAIL_BYTES
    assert tail.end == Position("r", len(sizes))
    assert tail.after(tail.end) == ()
    assert tail.after(Position("r", tail.first - 1)) == tail.events
    assert tail.after(Position("r", tail.first - 2)) is None
    assert tail.after(Position("other", tail.end.sequence)) is None
    assert tail.after(Position("r", tail.end.sequence + 1)) is None


@given(text=st.text(max_size=30))
def test_any_text_is_a_position_or_none(text: str) -> None:
    position = parse_position(text)
    assert position is None or parse_position(str(position)) == position


def test_nothing_is_made_while_nobody_listens() -> None:
    world = World()
    world.becomes({"a": 1})
    assert world.live.tail.events == ()


@pytest.mark.anyio
async def test_who_comes_back_to_an_idle_source_gets_what_it_missed_at_once() -> None:
    world, reader = World(), Reader()
    reader.catches_up(world.live)
    world.becomes({"a": 1})
    reader.catches_up(world.live)
    assert (reader.state, reader.position) == ({"a": 1}, world.live.tail.end)


@pytest.mark.anyio
async def test_a_stream_whose_loop_has_gone_is_forgotten() -> None:
    world = World()

    async def elsewhere() -> None:
        world.live.subscribe()

    await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
    assert world.live.streams == 1
    world.becomes({"a": 1})
    assert world.live.streams == 0


@pytest.mark.anyio
async def test_a_closed_source_takes_nobody() -> None:
    world = World()
    world.live.close()
    with pytest.raises(StoreUnavailable, match="not running"):
        world.live.subscribe()
