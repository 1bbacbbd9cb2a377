"""What the history's alerts have in common: counted by label, as matchers see labels."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.chaos import examples
from tests.database.records import START, make_alert

from dozor.database import Database, Facet, HistoryFilter, facets
from dozor.model.alert import Alert, Severity
from dozor.model.labels import Labels
from dozor.model.notification import Changes
from dozor.store.matchers import parse_matcher


def commit(store: Database, *alerts: Alert) -> None:
    store.commit(Changes(alerts=alerts), ())


def an_alert(rule: str, severity: Severity = Severity.WARNING, **labels: str) -> Alert:
    return make_alert(rule=rule, severity=severity, labels=Labels(alertname=rule, **labels))


def test_labels_are_counted_the_commonest_first(store: Database) -> None:
    commit(
        store,
        an_alert("Slow", pool="main", worker="0"),
        an_alert("Slow", pool="other"),
        an_alert("Down", Severity.CRITICAL, pool="main"),
        an_alert("Full"),
        make_alert(fired_at=None),
    )
    found = store.facets(HistoryFilter(), 2)
    assert (found.total, found.counted) == (4, 4)
    assert found.facets == (
        Facet("alertname", (("Slow", 2), ("Down", 1)), 1),
        Facet("severity", (("warning", 3), ("critical", 1))),
        Facet("component", (("database", 4),)),
        Facet("pool", (("main", 2), ("other", 1))),
        Facet("worker", (("0", 1),)),
    )


def test_a_filter_leaves_out_what_it_leaves_out_of_the_history(store: Database) -> None:
    commit(store, an_alert("Slow", pool="main"), an_alert("Slow", pool="other"), an_alert("Down", pool="main"))
    wanted = HistoryFilter(rule="Slow", matchers=(parse_matcher('pool=~"m.*"'),), limit=1)
    found = store.facets(wanted, 10)
    assert found.total == 1
    assert [(one.label, one.values) for one in found.facets if one.label in {"alertname", "pool"}] == [
        ("alertname", (("Slow", 1),)),
        ("pool", (("main", 1),)),
    ]


def test_of_a_long_history_the_newest_are_counted(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facets, "MOST_COUNTED", 2)
    commit(store, *(make_alert(fired_at=START + at, labels=Labels(alertname="A", at=str(at))) for at in range(5)))
    found = store.facets(HistoryFilter(), 10)
    assert (found.total, found.counted) == (5, 2)
    assert found.facets[-1] == Facet("at", (("3", 1), ("4", 1)))


def test_the_labels_are_bounded_and_those_of_every_alert_stay(store: Database) -> None:
    commit(store, make_alert(labels=Labels({"alertname": "A", **{f"label{number}": "x" for number in range(100)}})))
    labels = [one.label for one in store.facets(HistoryFilter(), 10).facets]
    assert len(labels) == facets.MOST_LABELS
    assert labels[:3] == ["alertname", "severity", "component"]


def test_nothing_has_no_facets(store: Database) -> None:
    found = store.facets(HistoryFilter(), 10)
    assert (found.total, found.facets) == (0, ())


_names = st.sampled_from(["pool", 'quoted "x"', "Schlüssel", "a.b"])
_values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=st.lists(st.dictionaries(_names, _values), min_size=1, max_size=6))
def test_it_counts_as_one_would_by_hand(store: Database, labels: list[dict[str, str]]) -> None:
    alerts = [make_alert(labels=Labels({"alertname": "A", **one})) for one in labels]
    commit(store, *alerts)
    found = store.facets(HistoryFilter(), 100)
    by_hand = {name: Counter(alert.labels[name] for alert in alerts if name in alert.labels) for name in
               {name for alert in alerts for name in alert.labels}}  # fmt: skip
    counted = {one.label: Counter(dict(one.values)) for one in found.facets}
    assert {name: counter for name, counter in counted.items() if name not in {"severity", "component"}} == by_hand
    store.commit(Changes(dropped=tuple(alert.id for alert in alerts)), ())
