"""Routes and inhibition rules as they are written."""

from pathlib import Path

import pytest

from dozor.alerts.inhibition import InhibitRule
from dozor.errors import ConfigurationError
from dozor.notify.routing import Route
from dozor.settings import Settings
from dozor.store.matchers import parse_matcher

CHANNELS = '[channels.ops]\ntype = "webhook"\nurl = "https://h"\n'


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str, *, strict: bool = True, **environ: str) -> Settings:
    Path("dozor.toml").write_text(text, encoding="utf-8")
    return Settings.load(environ=environ, strict=strict)


def test_routes_are_tables_in_their_order() -> None:
    settings = load(
        CHANNELS
        + """
        [[routes]]
        match = ['severity="critical"', 'pool=~"main|jobs"']
        to = ["ops", "log"]
        continue = true

        [[routes]]
        to = "ops"
        """
    )
    critical = (parse_matcher('severity="critical"'), parse_matcher('pool=~"main|jobs"'))
    assert settings.routes == (Route(critical, ("ops", "log"), continue_=True), Route((), ("ops",)))
    shown = {key: value for key, value, _ in settings.shown()}
    assert shown["routes"] == '{severity="critical", pool=~"main|jobs"} -> ops log, continue; {} -> ops'


def test_inhibition_rules_are_tables() -> None:
    settings = load(
        """
        [[inhibit]]
        source = ['alertname="DatabaseDown"']
        target = ['component="database"', 'severity!="critical"']
        equal = ["pool"]
        """
    )
    source = (parse_matcher("alertname=DatabaseDown"),)
    target = (parse_matcher("component=database"), parse_matcher("severity!=critical"))
    assert settings.inhibit == (InhibitRule(source, target, ("pool",)),)
    shown = {key: (value, origin) for key, value, origin in settings.shown()}
    assert shown["inhibit"][0].startswith('{alertname="DatabaseDown"} keeps {component="database", ')
    assert shown["inhibit"][0].endswith("quiet where pool equal")
    assert shown["inhibit"][1].startswith("dozor.toml:2 (inhibit")


def test_in_a_variable_they_are_json() -> None:
    environ = {
        "DOZOR_ROUTES": '[{"match": ["severity=critical"], "to": ["ops"]}]',
        "DOZOR_INHIBIT": '[{"source": ["a=b"], "target": ["c=d"]}]',
    }
    Path("dozor.toml").write_text(CHANNELS, encoding="utf-8")
    settings = Settings.load(environ=environ, strict=True)
    assert settings.routes == (Route((parse_matcher("severity=critical"),), ("ops",)),)
    assert settings.inhibit == (InhibitRule((parse_matcher("a=b"),), (parse_matcher("c=d"),), ()),)


def test_a_program_gives_tables_or_routes() -> None:
    route = Route((parse_matcher("a=b"),), ("Pager",))
    settings = Settings(routes=[route, {"match": "c=d", "to": ["Pager"]}])
    assert settings.routes == (route, Route((parse_matcher("c=d"),), ("Pager",)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[[routes]]\nto = ['ops']\n\n[[routes]]\nmatch = ['severity']\nto = ['ops']",
            "dozor.toml:8: routes[2].match: ",
        ),
        ("[[routes]]\nmatch = ['a=~\"(\"']\nto = ['ops']", "dozor.toml:5: routes[1].match: 'a=~\"(\"': "),
        ("[[routes]]\nmatch = ['a=b']", "dozor.toml:4: routes[1]: to is missing"),
        ("[[routes]]\nto = []", "dozor.toml:5: routes[1].to: name at least one channel"),
        ("[[routes]]\nto = ['ops']\nmatches = []", "dozor.toml:6: routes[1].matches: there is no such key"),
        ("[[routes]]\nto = ['ops']\ncontinue = 'x'", "dozor.toml:6: routes[1].continue: 'x' is neither yes nor no"),
        ("[[routes]]\nmatch = 3\nto = ['ops']", "dozor.toml:5: routes[1].match: this must be a list of matchers"),
        ("[[routes]]\nto = ['opps']", "dozor.toml:5: routes[1].to: there is no channel opps; channels: log, ops"),
        ("[[inhibit]]\nsource = ['a=b']", "dozor.toml:4: inhibit[1]: target is missing"),
        (
            "[[inhibit]]\nsource = ['a=~\".*\"']\ntarget = ['a=b']",
            "dozor.toml:5: inhibit[1].source: at least one matcher",
        ),
    ],
)
def test_a_mistake_is_one_message_with_line_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(CHANNELS + text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{", "this is not JSON; in a file, write tables: [[routes]]"),
        ("{}", "this must be a list of tables: [[routes]]"),
        ("[3]", "DOZOR_ROUTES: 1: this must be a table"),
        ('[{"to": ["ops"]}]', "DOZOR_ROUTES: there is no channel ops; channels: log"),
    ],
)
def test_a_mistake_in_a_variable_names_it(written: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ={"DOZOR_ROUTES": written}, strict=True)
    assert said in str(caught.value)


def test_inside_an_application_a_route_may_lead_to_a_notifier_of_its_own() -> None:
    settings = load("[[routes]]\nto = ['Pager']", strict=False)
    assert settings.routes == (Route((), ("Pager",)),)


def test_one_table_at_a_time_is_written_in_line_too() -> None:
    settings = load("routes = [{ to = ['log'] }]")
    assert settings.routes == (Route((), ("log",)),)
