"""Who is told of which alert."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.database.records import START, make_alert, make_notification

from dozor.alerts.grouping import compose
from dozor.alerts.telling import Telling, told
from dozor.errors import ConfigurationError
from dozor.model.alert import Alert, Severity
from dozor.model.labels import Labels
from dozor.model.notification import Notification, Occasion
from dozor.notify.notifier import Receiver
from dozor.notify.routing import Route, Router
from dozor.store.matchers import parse_matcher
from dozor.testing import RecordingNotifier

NAMES = ("log", "chat", "pager", "mail")
CRITICAL = Route((parse_matcher('severity="critical"'),), ("pager",))
WARNING = Route((parse_matcher('severity="warning"'),), ("chat",))


class Follower(RecordingNotifier):
    follows_updates = True


class Pager(Follower):
    keeps_alerts_open = True


def router(*routes: Route, largest: int = 100, **changed: Receiver) -> Router:
    receivers = {name: Receiver(RecordingNotifier()) for name in NAMES} | changed
    return Router(routes, receivers, largest_message=largest)


def route(matchers: str, *to: str, go_on: bool = False) -> Route:
    return Route(tuple(parse_matcher(each) for each in matchers.split() if each), to, go_on)


def ended(alert: Alert) -> Alert:
    return replace(alert, resolved_at=START + 60)


def shown(parts: dict[str, Notification]) -> dict[str, list[str]]:
    return {name: [alert.id for alert in each.alerts] for name, each in parts.items()}


def test_without_routes_everybody_is_told_of_everything_in_the_same_words() -> None:
    notification = make_notification(alerts=(make_alert(), make_alert(severity=Severity.INFO)))
    parts = dict(router().split(notification))
    assert tuple(parts) == NAMES
    assert all(each is notification for each in parts.values())


@pytest.mark.parametrize(
    ("routes", "told_of"),
    [
        ([route('severity="critical"', "pager")], ("log", "pager")),
        ([route('severity="warning"', "chat")], NAMES),
        ([route('severity=~"critical|emergency" component="database"', "pager", "mail")], ("log", "pager", "mail")),
        ([route('component="redis"', "pager")], NAMES),
        ([route('pool="main"', "chat"), route("", "mail")], ("log", "chat")),
        ([route('pool="main"', "chat", go_on=True), route("", "mail")], ("log", "chat", "mail")),
        ([route('pool="main"', "chat", go_on=True), route('pool="other"', "mail")], ("log", "chat")),
        ([route("", "log")], ("log",)),
        ([route("")], ("log",)),
        ([route('alertname="PoolUtilizationHigh" redis=""', "mail")], ("log", "mail")),
    ],
    ids=str,
)
def test_the_first_route_that_matches_decides(routes: list[Route], told_of: tuple[str, ...]) -> None:
    assert router(*routes).receivers_of(make_alert()) == told_of


def test_a_receiver_gets_the_alerts_that_are_for_it_under_the_same_id() -> None:
    bad, mild = make_alert(), make_alert(severity=Severity.WARNING)
    notification = make_notification(alerts=(bad, mild))
    parts = dict(router(CRITICAL, WARNING).split(notification))
    assert shown(parts) == {"log": [bad.id, mild.id], "chat": [mild.id], "pager": [bad.id]}
    assert {each.id for each in parts.values()} == {notification.id}


def test_the_end_is_told_to_all_who_heard_of_the_alert_whatever_its_severity_became() -> None:
    routes = router(CRITICAL, WARNING)
    mild = told(make_alert(severity=Severity.WARNING), START)
    assert routes.receivers_of(mild) == ("log", "chat")
    worse = told(replace(mild, severity=Severity.CRITICAL), START + 10)
    assert routes.receivers_of(worse) == ("log", "chat", "pager"), "who has heard of it hears that it got worse"
    milder = replace(worse, severity=Severity.INFO)
    assert routes.receivers_of(told(ended(milder), START + 60)) == ("log", "chat", "pager")


def test_who_never_heard_of_an_alert_does_not_hear_of_its_end() -> None:
    mild = told(make_alert(severity=Severity.WARNING), START)
    untold_rise = replace(mild, severity=Severity.CRITICAL)
    assert router(CRITICAL, WARNING).receivers_of(ended(untold_rise)) == ("log", "chat")


def test_an_alert_of_an_earlier_release_knows_only_what_was_told_last() -> None:
    old = make_alert(severity=Severity.EMERGENCY, told_severity=Severity.WARNING, told_at=START)
    assert router(CRITICAL, WARNING).receivers_of(old) == ("log", "chat")


def test_an_update_goes_to_those_who_follow() -> None:
    routes = router(chat=Receiver(Follower()))
    parts = dict(routes.split(make_notification(occasion=Occasion.ACKNOWLEDGED)))
    assert list(parts) == ["chat"]


def test_ends_are_kept_from_those_who_do_not_want_them() -> None:
    routes = router(mail=Receiver(RecordingNotifier(), send_resolved=False))
    alert, other = make_alert(), ended(make_alert())
    parts = dict(routes.split(make_notification(alerts=(alert, other))))
    assert shown(parts)["mail"] == [alert.id]
    assert "mail" not in dict(routes.split(make_notification(occasion=Occasion.RESOLVED, alerts=(other,))))


def test_why_somebody_is_told_is_said_of_what_they_are_told() -> None:
    bad = told(make_alert(), START)
    mild = told(ended(make_alert(severity=Severity.WARNING, told_severities=(Severity.WARNING,))), START + 60)
    parts = dict(router(CRITICAL, WARNING).split(make_notification(occasion=Occasion.FIRING, alerts=(bad, mild))))
    assert {name: each.occasion for name, each in parts.items()} == {
        "log": Occasion.FIRING,
        "pager": Occasion.FIRING,
        "chat": Occasion.RESOLVED,
    }


def test_who_gets_none_of_what_got_worse_is_not_told_that_it_did() -> None:
    mild = told(make_alert(severity=Severity.WARNING), START)
    worse = told(make_alert(severity=Severity.EMERGENCY, told_severities=(Severity.CRITICAL,)), START)
    routes = router(route('severity=~"critical|emergency"', "pager"), WARNING)
    parts = dict(routes.split(make_notification(occasion=Occasion.ESCALATED, alerts=(worse, mild))))
    assert parts["chat"].occasion is Occasion.FIRING
    assert parts["pager"].occasion is Occasion.ESCALATED


def test_a_storm_is_shortened_after_it_is_split_so_that_nobody_misses_their_part() -> None:
    alerts = (*(make_alert() for _ in range(50)), make_alert(severity=Severity.WARNING))
    parts = dict(router(CRITICAL, WARNING, largest=10).split(make_notification(alerts=alerts)))
    assert {name: (len(each.alerts), each.omitted) for name, each in parts.items()} == {
        "log": (10, 41),
        "pager": (10, 40),
        "chat": (1, 0),
    }
    assert parts["pager"].alerts == alerts[:10], "the worst are shown"


def test_who_is_told_of_mild_alerts_is_not_left_out_of_a_storm_of_worse_ones() -> None:
    storm = [*(make_alert() for _ in range(5000)), *(make_alert(severity=Severity.WARNING) for _ in range(150))]
    message = compose("R", [(Occasion.FIRING, alert) for alert in storm], START, Telling(), lambda: "m-1")
    parts = dict(router(CRITICAL, WARNING).split(message))
    assert {name: (len(each.alerts), each.omitted) for name, each in parts.items()} == {
        "log": (100, 5050),
        "pager": (100, 4900),
        "chat": (100, 50),
    }


@pytest.mark.parametrize("update", [False, True])
def test_who_keeps_an_incident_open_for_each_alert_hears_of_every_end(update: bool) -> None:
    firing = tuple(make_alert() for _ in range(12))
    ends = tuple(ended(make_alert()) for _ in range(25))
    occasion = Occasion.ACKNOWLEDGED if update else Occasion.FIRING
    message = make_notification(occasion=occasion, alerts=(*firing, *ends))
    parts = [each for name, each in router(largest=10, pager=Receiver(Pager())).split(message) if name == "pager"]
    assert [(len(each.alerts), each.omitted) for each in parts[:1]] == [(10, 27)]
    further = [alert for each in parts[1:] for alert in each.alerts]
    assert further == [*(firing[10:] if update else ()), *ends]
    assert {each.occasion for each in parts[1:]} == {occasion if update else Occasion.RESOLVED}
    assert all(len(each.alerts) <= 10 and each.omitted == 0 for each in parts[1:])
    assert len({each.id for each in parts}) == len(parts), "each is delivered by itself"
    assert parts == [
        each for name, each in router(largest=10, pager=Receiver(Pager())).split(message) if name == "pager"
    ]


def test_a_message_for_everybody_is_one_that_can_be_written_out_once() -> None:
    parts = dict(router(largest=10).split(make_notification(alerts=tuple(make_alert() for _ in range(50)))))
    assert len({id(each) for each in parts.values()}) == 1


def test_the_answers_that_are_remembered_have_an_end() -> None:
    routes = router(route('pool=~".*7"', "pager"), WARNING)
    for number in range(10_010):
        alert = make_alert(labels=Labels(alertname="Pool", pool=str(number)))
        assert routes.receivers_of(alert) == (("log", "pager") if number % 10 == 7 else NAMES)


def test_what_was_left_out_before_is_counted_for_those_who_get_the_rest() -> None:
    notification = make_notification(alerts=(make_alert(), make_alert(severity=Severity.WARNING)), omitted=7)
    parts = dict(router(CRITICAL, WARNING).split(notification))
    assert {name: each.omitted for name, each in parts.items()} == {"log": 7, "pager": 0, "chat": 0}


def test_a_route_to_nobody_is_refused() -> None:
    with pytest.raises(ConfigurationError) as refused:
        router(CRITICAL, route("", "chat", "phone"))
    assert str(refused.value) == (
        "routes[2].to: there is no channel phone to send to; channels: log, chat, pager, mail"
    )


_alerts = st.builds(
    lambda pool, severity, severities, over: make_alert(
        labels=Labels(alertname="PoolUtilizationHigh", pool=pool),
        severity=severity,
        told_severities=severities,
        resolved_at=START + 60 if over else None,
    ),
    st.sampled_from("abc"),
    st.sampled_from(Severity),
    st.lists(st.sampled_from(Severity), min_size=1, max_size=3, unique=True).map(tuple),
    st.booleans(),
)
_matchers = st.sampled_from(['pool="a"', 'pool=~"a|b"', 'severity!="info"', 'severity="critical"', 'component=~".*"'])
_routes = st.builds(
    Route,
    st.lists(_matchers.map(parse_matcher), max_size=2).map(tuple),
    st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
    st.booleans(),
)


@given(st.lists(_routes, max_size=4), st.lists(_alerts, min_size=1, max_size=8))
def test_nothing_is_lost_and_nothing_made_up(routes: list[Route], alerts: list[Alert]) -> None:
    routing = router(*routes)
    notification = make_notification(alerts=tuple(alerts))
    parts = dict(routing.split(notification))
    assert parts["log"].alerts == notification.alerts
    for name in NAMES:
        wanted = tuple(alert for alert in alerts if name in routing.receivers_of(alert))
        assert (parts[name].alerts if name in parts else ()) == wanted
        assert name not in parts or parts[name].alerts, "nobody gets an empty message"
