"""Prometheus' text format and OpenMetrics: what is read, what is refused, and what is remembered between two scrapes."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from dozor.instruments.exposition_text import ExpositionError, ExpositionLimits, ExpositionReader
from dozor.model.labels import Labels
from dozor.model.sample import MetricType, Sample

TARGET = Labels(job="shop", instance="h:1")


def read(text: str, *, openmetrics: bool = False, limits: ExpositionLimits | None = None) -> list[Sample]:
    return ExpositionReader(Labels(), limits).read(text, openmetrics=openmetrics).samples


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("up 1", Sample("up", Labels(), 1)),
        ("up{} 1", Sample("up", Labels(), 1)),
        ("  up\t1\t", Sample("up", Labels(), 1)),
        ('up {a = "b" , c="d",} +Inf\r', Sample("up", Labels(a="b", c="d"), math.inf)),
        ('up{a="}\\" {\\n\\\\#,"}2', Sample("up", Labels(a='}" {\n\\#,'), 2)),
        ('a:b_c{x=""} -1.5e3', Sample("a:b_c", Labels(), -1500)),
        ('{"http.requests","net.host"="a",b="c"} 3', Sample("http.requests", Labels({"net.host": "a", "b": "c"}), 3)),
        ('up{a="é 😀"} 1', Sample("up", Labels(a="é 😀"), 1)),
    ],
)
def test_lines_that_prometheus_reads(line: str, expected: Sample) -> None:
    assert read(f"{line}\n\n# a remark\n") == [expected]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("up", "line 1: 'up' is not a sample"),
        ("a 1\nup one", "line 2: 'one' is not a number"),
        ("up 1_000", "'1_000' is not a number"),
        ("up ١", "is not a number"),
        ('up{a="b} 1', "is not a sample"),
        ("up{a=b} 1", "is not a label and its value"),
        ('up{a="1",a="2"} 1', "the label 'a' is there twice"),
        ("up{a} 1", "the label 'a' has no value"),
        ('0up{a="b"} 1', "has no name that a metric may have"),
        ('{a="b"} 1', "has no name that a metric may have"),
        ('up 1 # {trace_id="a"} 1', "which only OpenMetrics may have"),
        ("up 1 2 3", "is not a sample"),
        ("# TYPE up thermometer", "'thermometer' is not a type of metrics"),
        ("<!doctype html>", "'<!doctype' has no name that a metric may have"),
        ("a" * 100_000 + '{b="' * 20_000, "is not a sample"),
        ("a 1\nb 1\nc 1\nd 1", "line 4: there are more than 3 samples"),
        ('up{a="1",b="2",c="3"} 1', "a series has more than 2 labels"),
        (f'up{{a="{"x" * 11}"}} 1', "the label 'a' is too long, or its value is"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, said: str) -> None:
    limits = ExpositionLimits(samples=3, labels=2, value_length=10)
    with pytest.raises(ExpositionError, match=r"^line \d+: ") as caught:
        read(text, limits=limits)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200


def test_openmetrics_has_exemplars_seconds_and_an_end() -> None:
    text = (
        "# TYPE req counter\n# UNIT req seconds\n# HELP req Of \\\\ and \\n.\n"
        'req_total{a="b"} 5 # {trace_id="KOO} 1"} 0.67 1600000000.5\nreq_created 1.5 1600000000.25\n# EOF\n'
    )
    reader = ExpositionReader(Labels())
    for _ in range(2):  # what is remembered reads the same
        found = reader.read(text, openmetrics=True)
        assert found.samples == [Sample("req_total", Labels(a="b"), 5)]
        assert found.timed == [(1_600_000_000_250, Sample("req_created", Labels(), 1.5))]
        (family,) = found.families
        assert (family.name, family.type, family.unit) == ("req", MetricType.COUNTER, "seconds")
        assert family.help == "Of \\ and \n."
    with pytest.raises(ExpositionError, match="cut off"):
        reader.read(text.removesuffix("# EOF\n"), openmetrics=True)


def test_the_targets_labels_win_and_what_they_hide_is_kept() -> None:
    reader = ExpositionReader(TARGET)
    text = 'up{job="a",exported_job="b",x="y"} 1\ndown{instance=""} 2 1600000000001\n'
    found = reader.read(text)
    assert found.samples == [
        Sample("up", Labels(job="shop", instance="h:1", exported_job="b", exported_exported_job="a", x="y"), 1)
    ]
    assert found.timed == [(1_600_000_000_001, Sample("down", TARGET, 2))]
    assert reader.read(text).samples[0].labels is found.samples[0].labels


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    st.dictionaries(TEXTS, st.floats(min_value=0, allow_nan=False), min_size=1, max_size=8),
    st.booleans(),
)
def test_it_reads_what_the_official_client_writes_as_that_client_reads_it(
    values: dict[str, float], in_openmetrics: bool
) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("g", "Help \\ \n here.", ["a_b", "c"], registry=registry)
    histogram = Histogram("h", "H.", ["x"], registry=registry)
    summary, counter = Summary("s", "S.", registry=registry), Counter("c", "C.", ["y"], registry=registry)
    for label, value in values.items():
        gauge.labels(label, "é").set(value)
        histogram.labels(label).observe(abs(value))
        summary.observe(value)
        counter.labels(label).inc()
    if in_openmetrics:
        text = openmetrics.generate_latest(registry).decode()  # type: ignore[no-untyped-call]
        families = list(parse_openmetrics(text))  # type: ignore[no-untyped-call]
    else:
        text = generate_latest(registry).decode()
        families = list(parse_text(text))
    expected = {(one.name, Labels(one.labels), repr(one.value)) for family in families for one in family.samples}
    reader = ExpositionReader(Labels())
    for _ in range(2):
        found = reader.read(text, openmetrics=in_openmetrics)
        assert {(one.name, one.labels, repr(one.value)) for one in found.samples} == expected
    assert {family.name.removesuffix("_total"): family.type.value for family in found.families} == {
        **{family.name: family.type for family in families},
        **({} if in_openmetrics else dict.fromkeys(("h_created", "s_created", "c_created"), "gauge")),
    }


@given(st.text(max_size=60), st.booleans())
def test_whatever_the_text_nothing_else_is_raised(text: str, in_openmetrics: bool) -> None:
    with suppress(ExpositionError):
        ExpositionReader(TARGET).read(text, openmetrics=in_openmetrics)
