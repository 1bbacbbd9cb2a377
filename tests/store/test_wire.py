"""Remote write as bytes: what is read, what is refused, and that nothing else is raised."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample
from dozor.store import STALE_NAN, MemoryStore, is_stale
from dozor.store.intake import Intake
from dozor.store.remote_write import RemoteWrite
from dozor.store.wire import WireError, WireReader, message, pack, unpack
from dozor.testing import FakeClock


def label(name: str, value: str) -> tuple[int, bytes]:
    return 1, message((1, name.encode()), (2, value.encode()))


def point(time: int, value: float) -> tuple[int, bytes]:
    return 2, b"\x09" + struct.pack("<d", value) + message((2, time))


def series(*fields: tuple[int, bytes]) -> tuple[int, bytes]:
    return 1, message(*fields)


UP = (label("__name__", "up"), label("job", "a"))


def test_a_request_of_two_series_and_what_is_said_of_one() -> None:
    request = message(
        series(*UP, point(1000, 1.5), point(2000, 2.5)),
        series(label("__name__", "down"), point(2000, STALE_NAN), (4, b"native")),
        (3, message((1, 1), (2, b"up"), (4, b"Help."), (5, b"seconds"))),
        (9, 7),  # of a later version
    )
    reader = WireReader()
    found = reader.write_request(request)
    assert found.samples[1000] == [Sample("up", Labels(job="a"), 1.5)]
    assert [(one.name, is_stale(one.value)) for one in found.samples[2000]] == [("up", False), ("down", True)]
    assert found.families == [Family("up", MetricType.COUNTER, "Help.", "seconds", ())]
    assert found.histograms == 1
    again = reader.write_request(request)
    assert again.samples[1000][0].labels is found.samples[1000][0].labels


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((point(-5, 1.0),), (-5, 1.0)),
        (((2, message((2, 7))),), (7, 0.0)),  # what is 0 is left out
        (((2, message((2, 7)) + b"\x09" + struct.pack("<d", 2.0)),), (7, 2.0)),
        (((2, b""),), (0, 0.0)),
    ],
)
def test_samples_are_read_however_protobuf_writes_them(
    fields: tuple[tuple[int, bytes], ...], expected: tuple[int, float]
) -> None:
    split = message(UP[0], *fields, UP[1])
    (found, points, _) = WireReader().series(split, 0, len(split))
    assert found == ("up", Labels(job="a"))
    assert points == [expected]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (message(series(label("job", "a"))), "no metric name"),
        (message(series(*UP, label("job", "b"))), "the label 'job' twice"),
        (message(series(*UP, label("", "b"))), "a label without a name"),
        (message(series(*(label(f"l{n}", "") for n in range(200)))), "more than 128 labels"),
        (message(series((1, message((1, b"\xff"))))), "not UTF-8"),
        (message(series(*UP))[:-1], "breaks off"),
        (b"\xff" * 11, "breaks off"),
        (b"\x0b", "not one of Prometheus' remote protocol"),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        WireReader().write_request(body)


@given(st.binary(max_size=80), st.integers(0, 60))
def test_whatever_the_bytes_nothing_else_is_raised(noise: bytes, place: int) -> None:
    whole = message(series(*UP, point(1000, 1.5)), (3, message((1, 1), (2, b"up"))))
    with suppress(WireError):
        WireReader().write_request(whole[:place] + noise + whole[place:])
    with suppress(WireError):
        unpack(noise, 1000)


def test_a_body_that_unpacks_to_too_much_is_refused_before_it_is() -> None:
    assert unpack(pack(b"x" * 1000), 1000) == b"x" * 1000
    with pytest.raises(WireError, match="longer than 1000 bytes"):
        unpack(pack(b"x" * 1001), 1000)
    with pytest.raises(WireError, match="snappy"):
        unpack(b"plain text", 1000)


def test_what_is_written_is_stored_and_what_cannot_be_is_counted(clock: FakeClock) -> None:
    store = MemoryStore()
    into = RemoteWrite(Intake(store, clock, max_series=10))
    at = round(clock.timestamp() * 1000)
    body = pack(message(series(*UP, point(at - 1000, 1.0), point(at - 2000, 3.0), point(at, 2.0))))
    for _ in range(2):
        into.take(body)
    (window,) = store.select((), at - 10_000, at).windows
    assert list(window.value_slice()) == [3.0, 1.0, 2.0]
    assert store.stats.dropped_samples == 0
