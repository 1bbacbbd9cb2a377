"""One record from flags, environment and file: which wins, where it says a value came from, what it says of mistakes."""

import logging
from pathlib import Path

import pytest

from dozor.errors import ConfigurationError
from dozor.model.alert import Severity
from dozor.settings import NamedUrl, Settings
from dozor.settings.secrets import Secret


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _load(text: str = "", *, strict: bool = True, flags: dict[str, object] | None = None, **environ: str) -> Settings:
    if text:
        Path("dozor.toml").write_text(text, encoding="utf-8")
    return Settings.load(flags=flags, environ=environ, strict=strict)


def _origins(settings: Settings) -> dict[str, str]:
    return {key: origin for key, _, origin in settings.shown()}


def test_defaults_are_those_of_the_specification() -> None:
    settings = _load()
    assert list(settings.shown()) == list(Settings().shown())
    assert (settings.interval_seconds, settings.slow_query_seconds, settings.leak_after_seconds) == (1.0, 1.0, 60.0)
    assert (settings.host, settings.port, settings.url) == ("127.0.0.1", 8002, "http://127.0.0.1:8002")
    assert settings.store_memory_bytes == 32 * 2**20
    assert (settings.group_interval_seconds, settings.reminder_interval_seconds) == (60.0, 4 * 3600.0)
    assert settings.cooldowns[Severity.WARNING] == 300.0
    assert settings.enabled
    assert [settings.store_url, settings.api_key] == [None, None]
    assert (settings.channels, settings.routes, settings.inhibit) == ({}, (), ())
    assert (settings.locale, settings.history_bytes) == ("en", 2**30)
    assert (settings.flapping_count, settings.flapping_window_seconds, settings.flapping_quiet_seconds) == (
        4,
        1800,
        900,
    )
    assert set(_origins(settings).values()) == {"default"}


def test_flag_over_environment_over_file_over_default() -> None:
    settings = _load(
        'interval = "5s"\nleak_after = "2m"\nname = "file"\n',
        flags={"interval": "200ms", "redis_url": []},
        DOZOR_INTERVAL="2s",
        DOZOR_NAME="shop",
    )
    assert (settings.interval_seconds, settings.name, settings.leak_after_seconds) == (0.2, "shop", 120.0)
    origins = _origins(settings)
    assert origins["interval"] == "--interval"
    assert origins["name"] == "DOZOR_NAME"
    assert origins["leak_after"] == "dozor.toml:2 (leak_after)"
    assert origins["redis_url"] == "default"


def test_parts_of_a_table_come_from_several_places() -> None:
    settings = _load('[cooldown]\nwarning = "10m"\ninfo = "20m"\n', DOZOR_COOLDOWN__WARNING="1m")
    assert settings.cooldowns[Severity.WARNING] == 60.0
    assert settings.cooldowns[Severity.INFO] == 1200.0


def test_servers_are_named_in_a_table_of_the_file_or_by_nested_variables() -> None:
    settings = _load('[database_url]\nmain = "postgresql://h/db"\n', DOZOR_REDIS_URL__CACHE="redis://h")
    assert settings.database_urls == (NamedUrl("main", "postgresql://h/db"),)
    assert settings.redis_urls == (NamedUrl("cache", "redis://h"),)


def test_what_is_scraped_is_named_by_its_host_where_it_has_no_name() -> None:
    settings = _load(
        DOZOR_SCRAPE="http://u:s3cret@shop.example:8000/metrics, jobs=https://h/m?name[]=a,b,http://[::1]/metrics",
        DOZOR_SCRAPE_TOKEN_FILE="/run/token",
    )
    assert [one.name for one in settings.scrape_urls] == ["shop.example-8000", "jobs", "1"]
    assert settings.scrape_urls[1].url == "https://h/m?name[]=a,b"
    assert settings.scrape_token_file == Path("/run/token")
    shown = {key: value for key, value, _ in settings.shown()}
    assert "s3cret" not in str(shown)
    assert shown["scrape_token_file"] == "/run/token"
    assert shown["scrape_interval"] == "5s"


def test_a_bare_number_counts_what_the_name_says() -> None:
    assert _load(DOZOR_SLOW_QUERY_MS="250").slow_query_seconds == 0.25
    assert _load("slow_query_ms = 500").slow_query_seconds == 0.5
    assert _load("interval = 2").interval_seconds == 2.0


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert _load(DOZOR_API_KEY="", DOZOR_REDIS_URL=" ").api_key is None


def test_a_secret_is_read_from_a_file() -> None:
    Path("key").write_text("abc\n", encoding="utf-8")
    settings = _load(DOZOR_API_KEY_FILE="key")
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "abc"
    assert _origins(settings)["api_key"] == "DOZOR_API_KEY_FILE"


def test_files_that_the_file_names_are_beside_it() -> None:
    folder = Path("etc")
    folder.mkdir()
    (folder / "key").write_text("abc", encoding="utf-8")
    (folder / "shop.toml").write_text('rules = ["shop.yml"]\napi_key_file = "key"\n', encoding="utf-8")
    settings = _load(DOZOR_CONFIG="etc/shop.toml")
    assert settings.rules == (Path("etc/shop.yml"),)
    assert settings.api_key is not None
    assert settings.config == Path("etc/shop.toml")


def test_a_program_gives_fields_or_keys_and_nothing_else_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOZOR_NAME", "environment")
    settings = Settings(interval="500ms", leak_after_seconds=5, redis_url="redis://h")
    assert (settings.interval_seconds, settings.leak_after_seconds, settings.name) == (0.5, 5.0, None)
    assert settings.redis_urls == (NamedUrl("default", "redis://h"),)


def test_what_has_no_default_may_be_given_as_none() -> None:
    settings = Settings(name=None, workers=None, api_key=None, store_url=None)
    assert (settings.name, settings.workers, settings.api_key, settings.store_url) == (None, None, None, None)
    with pytest.raises(ConfigurationError, match="interval"):
        Settings(interval=None)


def test_a_key_is_taken_as_text_or_as_a_secret_and_not_shown() -> None:
    pydantic = pytest.importorskip("pydantic")
    for given in ("abc", Secret("abc"), pydantic.SecretStr("abc")):
        settings = Settings(api_key=given)
        assert settings.api_key == Secret("abc")
        assert "abc" not in f"{settings} {settings!r} {settings.api_key} {settings.api_key!r}"


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError, match="port"):
        Settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"DOZOR_INTERVAL": "1"}, "DOZOR_INTERVAL: '1' lacks its unit"),
        ({"DOZOR_INTERVAL": "1m"}, "DOZOR_INTERVAL: '1m' is not between 100ms and 30s"),  # a rule looks at one minute
        ({"DOZOR_INTERVALL": "1s"}, "DOZOR_INTERVALL: there is no such setting; did you mean DOZOR_INTERVAL?"),
        ({"DOZOR_XYZZY": "1"}, "DOZOR_XYZZY: there is no such setting"),
        ({"DOZOR_METRICS_URL": "prometheus:9090"}, "DOZOR_METRICS_URL: this is not a URL"),
        ({"DOZOR_API_KEY": "a", "DOZOR_API_KEY_FILE": "/x"}, "DOZOR_API_KEY_FILE: "),
        ({"DOZOR_API_KEY_FILE": "/nowhere"}, "DOZOR_API_KEY_FILE: /nowhere cannot be read: No such file"),
        ({"DOZOR_DATABASE_URL": "postgresql://u:s3cret/@h:x/db"}, "DOZOR_DATABASE_URL: the host or the port"),
        (
            {"DOZOR_REDIS_URL": "redis+sentinel://h"},
            "DOZOR_REDIS_URL: the URL does not say which primary the sentinels are asked for",
        ),
        ({"DOZOR_CONFIG": "/nowhere.toml"}, "DOZOR_CONFIG: there is no file /nowhere.toml"),
        ({"DOZOR_COOLDOWN__WARNING": "x"}, "DOZOR_COOLDOWN__WARNING: 'x' is not a duration"),
        ({"DOZOR_COOLDOWN": "5m", "DOZOR_COOLDOWN__INFO": "5m"}, "DOZOR_COOLDOWN gives this already"),
    ],
)
def test_a_mistake_in_the_environment_is_one_message_with_its_variable(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Settings.load(environ=environ, strict=True)
    assert said in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "x"\n\ninterval = "soon"\n', "dozor.toml:3: interval: 'soon' is not a duration"),
        (
            'interval = "1s"\nintervall = "1s"',
            "dozor.toml:2: intervall: there is no such setting; did you mean interval?",
        ),
        ('[cooldown]\ninfo = "1m"\nwarning = "x"', "dozor.toml:3: cooldown.warning: 'x' is not a duration"),
        ("cooldown.info = 'x'", "dozor.toml:1: cooldown.info: 'x' is not a duration"),
        ("[cooldown]\nwarnin = '1m'", "dozor.toml:2: cooldown.warnin: this is not a severity"),
        ("name = 'x'\nport = = 3", "dozor.toml:2: this is not TOML"),
        ('api_key_file = "key"\napi_key = "x"', "dozor.toml:1: api_key_file: key cannot be read"),
        ("enabled = 'perhaps'", "dozor.toml:1: enabled: 'perhaps' is neither yes nor no"),
    ],
)
def test_a_mistake_in_the_file_is_one_message_with_line_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        _load(text, strict=False)
    assert said in str(raised.value)


def test_a_mistake_of_a_program_names_the_field() -> None:
    with pytest.raises(ConfigurationError, match="Settings: port: 0 is not a port"):
        Settings(port=0)
    with pytest.raises(ConfigurationError, match="Settings: prot: there is no such setting"):
        Settings(prot=1)


def test_several_mistakes_are_told_together_each_where_it_is() -> None:
    with pytest.raises(ConfigurationError) as raised:
        _load("port = 0", DOZOR_INTERVAL="x")
    assert [line.split(": ")[0] for line in str(raised.value).splitlines()] == ["DOZOR_INTERVAL", "dozor.toml:1"]


def test_inside_an_application_a_misspelt_variable_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="dozor"):
        settings = _load(strict=False, DOZOR_NAMEE="x")
    assert settings.name is None
    assert caplog.messages == ["DOZOR_NAMEE: there is no such setting; did you mean DOZOR_NAME?"]


def test_variables_that_are_not_ours_to_judge_are_left_alone() -> None:
    _load(
        DOZOR_TEST_REDIS_URL="x",
        DOZOR_REQUIRE_BROWSER="1",
        DOZOR_DEBUG="1",
        DOZOR_PORT="tcp://10.0.0.1:8002",
        DOZOR_SERVICE_HOST="10.0.0.1",
        DOZOR_SERVICE_PORT="8002",
        DOZOR_PORT_8002_TCP_ADDR="10.0.0.1",
        OTHER="x",
    )


def test_nothing_that_is_shown_or_printed_holds_a_secret() -> None:
    settings = _load(
        DOZOR_DATABASE_URL="main=postgresql://u:s3cret@h/db?sslpassword=s3cret",
        DOZOR_REDIS_URL="redis://:s3cret@h",
        DOZOR_API_KEY="s3cret",
        DOZOR_STORE_URL="postgresql://u:s3cret@h/dozor",
        DOZOR_WEBHOOK_URL="https://hooks.example.com/s3cret",
        DOZOR_WEBHOOK_SECRET="whsec_c3MzY3JldA==",
        DOZOR_HEARTBEAT_URL="https://ping.example.com/s3cret",
        DOZOR_URL="http://u:s3cret@h",
    )
    shown = {key: value for key, value, _ in settings.shown()}
    assert shown["webhook_url"] == "https://hooks.example.com/***"
    assert shown["api_key"] == "***"
    for text in (str(shown), str(settings), repr(settings)):
        assert "s3cret" not in text
