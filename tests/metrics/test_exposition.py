"""/metrics: prometheus-client writes it, prometheus-client and promtool read it."""

from hypothesis import given
from hypothesis import strategies as st
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
