"""Statuses, reasons and readiness follow from what is known."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.api.fake_backend import AT, POOL_FIGURES, REDIS_FIGURES, an_alert

from dozor.model.alert import Acknowledgement, AlertSilence, Severity
from dozor.model.labels import Labels
from dozor.overview import Known, PoolReading, RedisReading, Status, assess, urgency
from dozor.overview.assess import target_of

POOL = PoolReading("default", POOL_FIGURES, AT, "QueuePool", up=True)
REDIS = RedisReading("cache", REDIS_FIGURES, AT, connected=True)
OF_REDIS = {"rule": "RedisHitRateLow", "labels": Labels(redis="cache"), "component": "redis"}


def judged(at: Any = AT, **known: Any) -> Any:
    return assess(Known(interval_seconds=1.0, **{"pools": (POOL,), "servers": (REDIS,), **known}), at)


def test_all_is_healthy_while_no_rule_holds() -> None:
    overview = judged(http_watched=True)
    assert overview.status is Status.HEALTHY
    assert [component.status for component in overview.components.values()] == [Status.HEALTHY] * 5
    assert overview.reasons == overview.unready == ()


@pytest.mark.parametrize(
    ("severity", "status"),
    [
        (Severity.INFO, Status.HEALTHY),
        (Severity.WARNING, Status.WARNING),
        (Severity.CRITICAL, Status.CRITICAL),
        (Severity.EMERGENCY, Status.CRITICAL),
    ],
)
@pytest.mark.parametrize("fired_at", [AT - 10, None])
def test_a_pool_is_as_bad_as_the_worst_rule_that_fires_or_whose_condition_holds(
    severity: Any, status: Any, fired_at: Any
) -> None:
    overview = judged(alerts=(an_alert(severity=severity, fired_at=fired_at),))
    assert overview.pools[0].status is status
    assert "96 % of the connections" in overview.pools[0].reasons[0]


def test_an_alert_of_one_pool_says_nothing_of_another() -> None:
    other = replace(POOL, name="reports")
    overview = judged(pools=(POOL, other), alerts=(an_alert(),))
    assert [pool.status for pool in overview.pools] == [Status.CRITICAL, Status.HEALTHY]
    assert overview.components["database"].status is Status.CRITICAL


@pytest.mark.parametrize(
    "acted",
    [{"acknowledged": Acknowledgement(AT)}, {"silenced": AlertSilence(AT)}, {"inhibited_by": ("PoolTimeouts",)}],
)
def test_what_people_do_about_an_alert_does_not_make_its_target_healthy(acted: Any) -> None:
    assert judged(alerts=(an_alert(**acted),)).pools[0].status is Status.CRITICAL


def test_a_database_that_is_down_is_critical_at_once_and_says_what_to_do() -> None:
    overview = judged(pools=(replace(POOL, up=False, failure="refused", hint="is it running?"),))
    assert overview.pools[0].status is Status.CRITICAL
    assert overview.pools[0].reasons[0] == "The database behind pool default does not answer. Is it running?"
    assert overview.unready == ("The database behind pool default does not answer.",)


def test_a_pool_without_a_fresh_sample_is_unknown_and_so_is_the_whole() -> None:
    overview = judged(pools=(replace(POOL, collected_at=AT - 60),))
    assert overview.pools[0].status is Status.UNKNOWN
    assert "1 min ago" in overview.pools[0].reasons[0]
    assert overview.status is Status.UNKNOWN


def test_a_pool_that_was_never_read_is_unknown() -> None:
    assert judged(pools=(replace(POOL, collected_at=None, figures={}),)).pools[0].status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("kind", "why"), [("NullPool", "NullPool has no fixed number"), ("QueuePool", "without limit")]
)
def test_a_pool_without_a_bound_is_unknown_by_nature_which_does_not_trouble_the_whole(kind: Any, why: Any) -> None:
    overview = judged(pools=(PoolReading("batch", {"db_pool_checked_out": 3.0}, AT, kind, up=True),))
    assert overview.pools[0].status is Status.UNKNOWN
    assert why in overview.pools[0].reasons[0]
    assert overview.components["database"].status is Status.UNKNOWN
    assert overview.status is Status.HEALTHY


@pytest.mark.parametrize(
    ("reading", "status", "said"),
    [
        ({"connected": None, "collected_at": None}, Status.DISCONNECTED, "has not been reached yet"),
        ({"connected": False, "collected_at": None, "failure": "refused"}, Status.DISCONNECTED, "not been reached yet"),
        (
            {"connected": False, "failure": "timeout", "hint": "it hangs"},
            Status.DISCONNECTED,
            "does not answer, last answer",
        ),
        (
            {"connected": True, "failure": "loading", "hint": "it loads"},
            Status.WARNING,
            "answers with an error. It loads.",
        ),
        ({"connected": True, "collected_at": AT - 90}, Status.WARNING, "1 min 30 s ago"),
    ],
)
def test_a_redis_that_does_not_answer_properly(reading: Any, status: Any, said: Any) -> None:
    overview = judged(servers=(replace(REDIS, **reading),))
    assert overview.servers[0].status is status
    assert said in overview.servers[0].reasons[0]


def test_a_disconnected_redis_makes_the_whole_critical() -> None:
    overview = judged(servers=(replace(REDIS, connected=False),))
    assert (overview.components["redis"].status, overview.status) == (Status.DISCONNECTED, Status.CRITICAL)


def test_where_nothing_is_configured_the_status_is_null_and_says_how_to_add_one() -> None:
    components = judged(pools=(), servers=()).components
    assert components["database"].status is components["redis"].status is components["http"].status is None
    assert "Dozor(engine=engine)" in components["database"].reasons[0]
    assert "--redis-url" in components["redis"].reasons[0]


def test_what_is_wrong_with_dozor_itself_is_a_warning() -> None:
    overview = judged(complaints=("Nothing is kept: the disk is full.",))
    assert overview.components["dozor"].status is Status.WARNING
    assert overview.reasons == ("Nothing is kept: the disk is full.",)


@pytest.mark.parametrize(
    ("labels", "rule", "component", "target"),
    [
        ({"pool": "main"}, "Any", "database", ("pool", "main")),
        ({"redis": "cache"}, "Any", "redis", ("redis", "cache")),
        ({"collector": "redis:cache"}, "MonitoringStale", "system", ("redis", "cache")),
        ({"collector": "database:main"}, "MonitoringStale", "system", ("pool", "main")),
        ({"collector": "host"}, "MonitoringStale", "system", ("host", "")),
        ({"collector": "runtime"}, "MonitoringStale", "system", ("dozor", "")),
        ({"route": "/orders"}, "Mine", "system", ("http", "")),
        ({}, "HttpErrorsHigh", "business", ("http", "")),
        ({}, "TooManyActiveAlerts", "system", ("dozor", "")),
        ({"mountpoint": "/"}, "DiskSpaceLow", "system", ("host", "")),
        ({}, "Mine", "database", ("database", "")),
    ],
)
def test_an_alert_belongs_to_what_its_labels_name(labels: Any, rule: Any, component: Any, target: Any) -> None:
    assert target_of(an_alert(labels=Labels(labels), rule=rule, component=component)) == target


def test_an_alert_of_a_target_that_is_gone_still_counts_for_its_component() -> None:
    overview = judged(alerts=(an_alert(labels=Labels(pool="gone")), an_alert(id="a2", labels=Labels(), rule="Mine")))
    assert overview.components["database"].status is Status.CRITICAL
    assert len(overview.components["database"].reasons) == 2


def test_of_two_as_severe_what_fires_is_named_before_what_pends() -> None:
    pending = an_alert(id="p", fired_at=None, active_at=AT - 300)
    fires, pends = judged(alerts=(pending, an_alert())).pools[0].reasons
    assert "firing for" in fires
    assert "not long enough" in pends


def test_an_alert_that_is_better_but_not_over_says_so() -> None:
    [reason] = judged(alerts=(an_alert(holds=False),)).pools[0].reasons
    assert "already better" in reason


def test_ready_while_a_critical_condition_only_pends() -> None:
    assert judged(alerts=(an_alert(fired_at=None),)).unready == ()


def test_not_ready_when_it_fires_whatever_people_did_about_it() -> None:
    assert judged(alerts=(an_alert(acknowledged=Acknowledgement(AT)),)).unready == (
        "PoolUtilizationHigh fires for pool default.",
    )


def test_ready_while_only_a_warning_fires() -> None:
    assert judged(alerts=(an_alert(**OF_REDIS, severity=Severity.WARNING),)).unready == ()


@pytest.mark.parametrize(
    ("required", "ready"),
    [(None, False), (frozenset({"cache"}), False), (frozenset({"redis:cache"}), False), (frozenset({"default"}), True)],
)
def test_only_what_is_required_makes_unready(required: Any, ready: Any) -> None:
    overview = judged(servers=(replace(REDIS, connected=False),), required=required)
    assert (overview.unready == ()) is ready


def test_what_is_watched_from_outside_is_no_part_of_readiness() -> None:
    assert judged(pools=(replace(POOL, up=False, outside=True),)).unready == ()


def test_alerts_stand_in_the_order_in_which_somebody_should_look() -> None:
    alerts = [
        an_alert(id="pending", fired_at=None, severity=Severity.EMERGENCY),
        an_alert(id="mine", acknowledged=Acknowledgement(AT)),
        an_alert(id="mild", severity=Severity.WARNING),
        an_alert(id="old", fired_at=AT - 500),
        an_alert(id="new", fired_at=AT - 5),
    ]
    assert [alert.id for alert in sorted(alerts, key=urgency)] == ["new", "old", "mild", "mine", "pending"]
    assert [alert.id for alert in judged(alerts=tuple(alerts)).alerts] == ["new", "old", "mild", "mine"]


def test_the_first_reason_of_each_part_comes_before_the_second_of_any() -> None:
    alerts = (
        an_alert(),
        an_alert(id="a2", rule="SlowQueries"),
        an_alert(id="a3", **OF_REDIS, severity=Severity.WARNING),
    )
    reasons = judged(alerts=alerts).reasons
    assert ["RedisHitRateLow" in reason for reason in reasons] == [False, True, False]


def test_of_a_storm_each_list_of_reasons_names_the_worst_and_counts_the_rest() -> None:
    storm = tuple(an_alert(id=f"{number:08x}", severity=Severity.WARNING) for number in range(500))
    worst = an_alert(id="ffffffff", annotations={"summary": "The worst"})
    caches = tuple(an_alert(id=f"r{number}", **OF_REDIS) for number in range(21))
    overview = judged(alerts=(*storm, worst, *caches))
    for reasons in (overview.pools[0].reasons, overview.components["database"].reasons):
        assert len(reasons) == 21
        assert reasons[0].startswith("The worst")
        assert reasons[-1] == "and 481 more"
    assert overview.servers[0].reasons[-1] == overview.components["redis"].reasons[-1] == "and 1 more"
    assert overview.reasons[-1] == "and 502 more"
    assert len(overview.alerts) == 522
