"""/metrics: prometheus-client and promtool read it, and prometheus-client would write the same."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from dozor.metrics import Histogram, merge, render
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

hostile = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)


def counter(name: str, *samples: tuple[Labels, float]) -> Family:
    return Family(name, MetricType.COUNTER, "Help.", "", tuple(Sample(name, *sample) for sample in samples))


@given(hostile)
def test_any_label_value_comes_back_as_it_was(value: str) -> None:
    families = [counter("things_total", (Labels(what=value), 1.0))]
    for parse, openmetrics in ((parse_text, False), (parse_openmetrics, True)):
        (family,) = parse(render(families, openmetrics=openmetrics).decode())
        assert family.samples[0].labels == {"what": value}


class Oracle:
    """Families as prometheus-client's registry would have them."""

    def __init__(self, *families: Family) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            kind, name = family.type.value, family.name
            if kind == "counter":
                kind, name = ("counter", name.removesuffix("_total")) if name.endswith("_total") else ("unknown", name)
            metric = Metric(name, family.help, kind)
            for sample in family.samples:
                metric.add_sample(sample.name, dict(sample.labels), sample.value)
            yield metric


# Prometheus' client writes a million and more as Go would, with an exponent; both are read alike.
numbers = st.floats(max_value=999_999) | st.just(math.inf)
label_sets = st.dictionaries(st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True), hostile, max_size=4).map(
    Labels
)
own_types = st.sampled_from([MetricType.COUNTER, MetricType.GAUGE])


@pytest.mark.parametrize("openmetrics", [False, True])
@given(
    name=st.from_regex(r"[a-z_][a-z0-9_]{0,8}(_total)?", fullmatch=True), kind=own_types, text=hostile,
    samples=st.lists(st.tuples(label_sets, numbers), min_size=1, max_size=4),
)  # fmt: skip
def test_it_is_what_prometheus_client_would_write(
    openmetrics: bool, name: str, kind: MetricType, text: str, samples: list[tuple[Labels, float]]
) -> None:
    family = Family(name, kind, text, "", tuple(Sample(name, *sample) for sample in samples))
    write: Any = generate_openmetrics if openmetrics else generate_latest
    expected = write(Oracle(family))
    assert render([family], openmetrics=openmetrics) == expected


def test_names_get_letters_that_every_reader_knows_and_values_those_of_utf8() -> None:
    labels = Labels({"http.method": "GET", "0": "\ud800"})
    family = Family("things.per-second", MetricType.GAUGE, "", "", (Sample("things.per-second", labels, 1e21),))
    assert render([family]).decode().splitlines() == [
        "# HELP things_per_second ",
        "# TYPE things_per_second gauge",
        'things_per_second{_="?",http_method="GET"} 1e+21',
    ]


def test_total_alerts_count_keeps_its_name_in_both_formats() -> None:
    families = [counter("total_alerts_count", (Labels(), 7.0))]
    assert b"\ntotal_alerts_count 7.0\n" in render(families)
    assert b"\ntotal_alerts_count 7.0\n" in render(families, openmetrics=True)


def test_a_histogram_is_read_back_as_one() -> None:
    histogram = Histogram([0.5, 1])
    histogram.observe(0.7)
    samples = tuple(histogram.samples("wait_seconds", Labels(pool="p")))
    text = render([Family("wait_seconds", MetricType.HISTOGRAM, "Help.", "seconds", samples)], openmetrics=True)
    (family,) = parse_openmetrics(text.decode())  # type: ignore[no-untyped-call]
    assert family.type == "histogram"
    assert [(s.labels.get("le"), s.value) for s in family.samples if s.name.endswith("_bucket")] == [
        ("0.5", 0), ("1.0", 1), ("+Inf", 1),
    ]  # fmt: skip


def test_families_of_one_name_are_merged_and_empty_ones_left_out() -> None:
    merged = merge(
        [counter("b_total", (Labels(pool="x"), 1.0)), counter("a_total"), counter("b_total", (Labels(pool="y"), 2.0))]
    )
    assert [(family.name, len(family.samples)) for family in merged] == [("a_total", 0), ("b_total", 2)]
    assert b"a_total" not in render(merged)
