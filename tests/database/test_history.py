"""The history searched by labels, and what it adds up to: one suite for every database."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.chaos import examples
from tests.database.records import START, make_alert

from dozor.database import Database, DayStatistics, HistoryFilter, RuleStatistics
from dozor.model.alert import Acknowledgement, Alert, Severity
from dozor.model.labels import Labels
from dozor.model.notification import Changes
from dozor.store.matchers import Matcher, match_all, parse_matcher
from dozor.testing import FakeClock

DAY = 86_400.0


def commit(store: Database, *alerts: Alert) -> None:
    store.commit(Changes(alerts=alerts), ())


ALERTS = [
    make_alert(id="main", labels=Labels(alertname="PoolUtilizationHigh", pool="main", worker="0")),
    make_alert(id="jobs", labels=Labels(alertname="PoolUtilizationHigh", pool="jobs"), severity=Severity.EMERGENCY),
    make_alert(id="redis", rule="RedisLoadHigh", labels=Labels(alertname="RedisLoadHigh"), component="redis"),
    make_alert(id="odd", labels=Labels({"alertname": "Odd", "path": 'a"b\\c\n$.x', "été": "ü"}), component="system"),
]


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        (['pool="main"'], {"main"}),
        (['pool=""'], {"redis", "odd"}),
        (['pool!="main"'], {"jobs", "redis", "odd"}),
        (['pool!=""'], {"main", "jobs"}),
        (['pool=~"ma.*|jobs"'], {"main", "jobs"}),
        (['pool=~"main|"'], {"main", "redis", "odd"}),
        (['pool!~"m.+"'], {"jobs", "redis", "odd"}),
        (['pool=~"nothing"'], set()),
        (['pool=~".+"', 'worker="0"'], {"main"}),
        (['alertname=~"Pool.*"', 'severity="emergency"'], {"jobs"}),
        (['severity="CRITICAL"'], set()),
        (['severity=~"crit.*"', 'component="redis"'], {"redis"}),
        (['component=~"database|redis"'], {"main", "jobs", "redis"}),
        (['path="a\\"b\\\\c\\n$.x"'], {"odd"}),
        (['path=~"a.*x"'], {"odd"}),
    ],
    ids=lambda ids: " ".join(sorted(ids)),
)
def test_alerts_are_found_by_matchers(store: Database, matchers: list[str], expected: set[str]) -> None:
    commit(store, *ALERTS)
    page = store.history(HistoryFilter(matchers=tuple(parse_matcher(each) for each in matchers)))
    assert {alert.id for alert in page.items} == expected
    assert page.total == len(expected)


@pytest.mark.parametrize("name", ["été", 'a"b', "a.b", "$", "a'b", "", "nul\0"])
def test_any_name_of_a_label_can_be_asked_for(store: Database, name: str) -> None:
    here = make_alert(labels=Labels({"alertname": "X", name: "here"}))
    commit(store, here, make_alert())
    found = store.history(HistoryFilter(matchers=(Matcher(name, "=", "here"),)))
    assert [alert.id for alert in found.items] == [here.id]


_matchers = st.lists(
    st.builds(
        Matcher,
        st.sampled_from(["pool", "worker", "alertname", "severity", "component"]),
        st.sampled_from(["=", "!=", "=~", "!~"]),
        st.sampled_from(["", "main", "0", ".*", ".+", "main|jobs", "critical", "crit.*|emer.*", "[a-m]+", "redis|"]),
    ),
    max_size=3,
).map(tuple)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(matchers=_matchers)
def test_the_database_finds_what_matching_one_by_one_finds(store: Database, matchers: tuple[Matcher, ...]) -> None:
    commit(store, *ALERTS)
    expected = {
        alert.id
        for alert in ALERTS
        if match_all(matchers, {**alert.labels, "severity": alert.severity.value.lower(), "component": alert.component})
    }
    assert {alert.id for alert in store.history(HistoryFilter(matchers=matchers)).items} == expected


def test_pages_and_totals_are_of_what_matches(store: Database) -> None:
    pools = ("main", "jobs")
    commit(store, *[make_alert(fired_at=START + n, labels=Labels(pool=pools[n % 2], n=str(n))) for n in range(20)])
    wanted = HistoryFilter(matchers=(parse_matcher('pool=~"ma.n"'),), since=START + 4, limit=3)
    seen: list[str] = []
    while True:
        page = store.history(wanted)
        assert page.total == 8
        seen += [alert.labels["n"] for alert in page.items]
        if page.next_cursor is None:
            break
        wanted = replace(wanted, cursor=page.next_cursor)
    assert seen == ["18", "16", "14", "12", "10", "8", "6", "4"]


def test_a_label_with_very_many_values_can_be_matched(store: Database) -> None:
    commit(store, *[make_alert(labels=Labels(path=f"/{n}"), evidence={}, annotations={}) for n in range(2000)])
    found = store.history(HistoryFilter(matchers=(parse_matcher('path=~"/.*"'), parse_matcher('path!~"/1.*"'))))
    assert found.total == 2000 - 1111


class TestStatistics:
    """By day, and by rule."""

    def test_each_day_in_utc_with_its_severities(self, store: Database) -> None:
        commit(
            store,
            make_alert(fired_at=START - START % DAY - 0.5, severity=Severity.WARNING),
            make_alert(fired_at=START - START % DAY, severity=Severity.WARNING),
            make_alert(fired_at=START - START % DAY + DAY - 0.5),
            make_alert(fired_at=START - START % DAY + 3 * DAY),
        )
        none = dict.fromkeys(Severity, 0)
        assert store.statistics().by_day == (
            DayStatistics(date(2027, 1, 14), 1, {**none, Severity.WARNING: 1}),
            DayStatistics(date(2027, 1, 15), 2, {**none, Severity.WARNING: 1, Severity.CRITICAL: 1}),
            DayStatistics(date(2027, 1, 18), 1, {**none, Severity.CRITICAL: 1}),
        )
        assert [day.day for day in store.statistics(START).by_day] == [date(2027, 1, 15), date(2027, 1, 18)]

    def test_the_noisiest_rules_with_how_long_they_fired(self, store: Database) -> None:
        store._clock = FakeClock(START + 1000)
        commit(
            store,
            make_alert(rule="Twice", fired_at=START, resolved_at=START + 100),
            make_alert(rule="Twice", fired_at=START + 400),
            make_alert(rule="Once", fired_at=START, resolved_at=START + 300),
            make_alert(rule="Open", fired_at=START + 2000),
            *[make_alert(rule=f"Rule{n:02}", fired_at=START, resolved_at=START) for n in range(20)],
        )
        found = store.statistics()
        assert found.noisiest[:3] == (
            RuleStatistics("Twice", 2, 700.0, 100.0),
            RuleStatistics("Once", 1, 300.0, 300.0),
            RuleStatistics("Open", 1, 0.0, None),
        )
        assert len(found.noisiest) == 10
        assert len(found.by_rule) == 23

    def test_how_many_somebody_took_on(self, store: Database) -> None:
        commit(store, make_alert(acknowledged=Acknowledgement(START + 1)), make_alert())
        assert store.statistics().acknowledged == 1

    def test_nothing_adds_up_to_nothing(self, store: Database) -> None:
        found = store.statistics()
        assert (found.acknowledged, found.by_day, found.noisiest) == (0, (), ())
