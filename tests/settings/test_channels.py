"""Channels: from a variable for each key, from tables, from both; what is said of half a channel; no secret anywhere."""

from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.errors import ConfigurationError
from dozor.notify.alertmanager import AlertmanagerChannel
from dozor.notify.apprise import AppriseChannel
from dozor.notify.email import EmailChannel
from dozor.notify.notifier import table
from dozor.notify.pagerduty import PagerDutyChannel
from dozor.notify.slack import SlackChannel
from dozor.notify.telegram import TelegramChannel
from dozor.notify.webhook import WebhookChannel
from dozor.settings import Settings
from dozor.settings.channels import KINDS, VARIABLES, parse_channels
from dozor.testing import FakeClock

EVERYTHING = {
    "DOZOR_WEBHOOK_URL": "https://hooks.example/c4nary-1",
    "DOZOR_WEBHOOK_SECRET": "whsec_YzRuYXJ5LTI=",
    "DOZOR_SLACK_TOKEN": "xoxb-c4nary-3",
    "DOZOR_SLACK_CHANNEL": "#alerts",
    "DOZOR_SLACK_SIGNING_SECRET": "c4nary-4",
    "DOZOR_SMTP_URL": "smtp://ann:c4nary-5@mail.example:587",
    "DOZOR_EMAIL_FROM": "Dozor <dozor@example.com>",
    "DOZOR_EMAIL_TO": "ann@example.com, Bob <bob@example.com>",
    "DOZOR_PAGERDUTY_KEY": "c4nary6",
    "DOZOR_TELEGRAM_TOKEN": "123456789:c4nary-7",
    "DOZOR_TELEGRAM_CHAT": "-1001234567890",
    "DOZOR_NOTIFY_URLS": "json://c4nary-8@h/x, ntfy://c4nary-9/",
    "DOZOR_ALERTMANAGER_URL": "http://ann:c4nary-10@am:9093/c4nary-11",
}
SECRETS = ["c4nary", "YzRuYXJ5LTI="]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str = "", **environ: str) -> Settings:
    if text:
        Path("dozor.toml").write_text(text, encoding="utf-8")
    return Settings.load(environ=environ, strict=True)


def mistake(text: str = "", **environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(text, **environ)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("webhook", 'url = "https://h"'),
        ("slack", 'webhook_url = "https://h/x"'),
        ("email", 'smtp_url = "smtp://h"\nfrom = "a@example.com"\nto = ["b@example.com"]'),
        ("telegram", 'token = "1:x"\nchat = "@ops"'),
        ("apprise", 'urls = ["json://h"]'),
    ],
)
def test_who_does_not_want_to_hear_of_ends_says_so(kind: str, keys: str) -> None:
    text = f'[channels.a]\ntype = "{kind}"\n{keys}\n'
    for written, wanted in (("", True), ("send_resolved = false", False)):
        receivers = table(load(text + written).channels, (), FakeClock(), "en")
        assert receivers["a"].send_resolved is wanted


def test_each_type_has_a_channel_by_variables_alone() -> None:
    channels = load(**EVERYTHING).channels
    assert dict(channels) == {
        "webhook": WebhookChannel("https://hooks.example/c4nary-1", "whsec_YzRuYXJ5LTI="),
        "slack": SlackChannel(token="xoxb-c4nary-3", channel="#alerts", signing_secret="c4nary-4"),
        "email": EmailChannel(
            "smtp://ann:c4nary-5@mail.example:587",
            "Dozor <dozor@example.com>",
            ("ann@example.com", "Bob <bob@example.com>"),
        ),
        "pagerduty": PagerDutyChannel("c4nary6"),
        "telegram": TelegramChannel("123456789:c4nary-7", "-1001234567890"),
        "apprise": AppriseChannel(("json://c4nary-8@h/x", "ntfy://c4nary-9/")),
        "alertmanager": AlertmanagerChannel("http://ann:c4nary-10@am:9093/c4nary-11"),
    }
    assert set(channels) == set(KINDS)
    for name, channel in channels.items():
        assert channel.kind == name
        built = channel.build(name, FakeClock(), "en")
        assert not any(secret in f"{built!r} {getattr(built, 'target', '')}" for secret in SECRETS)


def test_nothing_that_is_shown_or_printed_holds_a_secret() -> None:
    settings = load('[channels.ops]\ntype = "slack"\nwebhook_url = "https://hooks.example/c4nary-12"', **EVERYTHING)
    shown = {key: value for key, value, _ in settings.shown()}
    for text in (str(shown), str(settings), repr(settings), repr(settings.channels)):
        assert not any(secret in text for secret in SECRETS)
    assert shown["smtp_url"] == "smtp://ann:***@mail.example:587"
    assert shown["slack_token"] == "***"
    assert shown["notify_urls"] == "json://***, ntfy://***"
    assert shown["email_to"] == "ann@example.com, Bob <bob@example.com>"
    assert shown["channels.ops.webhook_url"] == "https://hooks.example/***"


def test_config_show_says_where_each_key_of_a_channel_was_written() -> None:
    settings = load(
        '[channels.slack]\nchannel = "#a"\n\n[channels.ops]\ntype = "webhook"\nurl = "https://h/x"\n',
        DOZOR_SLACK_TOKEN="xoxb-1",
    )
    origins = {key: origin for key, _, origin in settings.shown()}
    assert origins["slack_token"] == "DOZOR_SLACK_TOKEN"
    assert origins["slack_channel"] == "dozor.toml:2 (channels.slack.channel)"
    assert origins["slack_api_url"] == "default"
    assert origins["channels.ops.url"] == "dozor.toml:6 (channels.ops.url)"


def test_several_of_a_type_are_tables_with_names() -> None:
    channels = load(
        """
        [channels.ops]
        type = "telegram"
        token = "1:a"
        chat = -100

        [channels.boss]
        type = "email"
        smtp_url = "smtps://mail.example"
        from = "dozor@example.com"
        to = ["boss@example.com"]
        timeout = "5s"
        """
    ).channels
    assert channels["ops"] == TelegramChannel("1:a", "-100")
    boss = EmailChannel("smtps://mail.example", "dozor@example.com", ("boss@example.com",), timeout_seconds=5)
    assert channels["boss"] == boss


def test_a_table_is_filled_up_by_nested_variables_which_come_first() -> None:
    channels = load(
        '[channels.ops]\ntype = "slack"\ntoken = "xoxb-file"\nchannel = "#ops"',
        DOZOR_CHANNELS__OPS__TOKEN="xoxb-environment",
    ).channels
    assert channels["ops"] == SlackChannel(token="xoxb-environment", channel="#ops")


def test_a_secret_may_be_in_a_file_beside_the_one_that_names_it() -> None:
    Path("etc").mkdir()
    Path("etc/token").write_text("xoxb-1\n", encoding="utf-8")
    Path("key").write_text("abc\n", encoding="utf-8")
    Path("etc/dozor.toml").write_text(
        'slack_channel = "#a"\nslack_token_file = "token"\n[channels.b]\ntype = "slack"\ntoken_file = "token"\n'
        'channel = "#b"\n',
        encoding="utf-8",
    )
    settings = load(DOZOR_CONFIG="etc/dozor.toml", DOZOR_PAGERDUTY_KEY_FILE="key")
    assert settings.channels["slack"] == SlackChannel(token="xoxb-1", channel="#a")
    assert settings.channels["b"] == SlackChannel(token="xoxb-1", channel="#b")
    assert settings.channels["pagerduty"] == PagerDutyChannel("abc")


def test_a_file_of_certificates_is_named_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    said = mistake(
        'smtp_url = "smtp://h"\nemail_from = "a@b.example"\nemail_to = "a@b.example"\nsmtp_ca_file = "ca.pem"'
    )
    assert "dozor.toml:4: smtp_ca_file: " in said, "there is no certificate in it, which only its reader can say"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"DOZOR_SMTP_URL": "smtp://h"}, "DOZOR_SMTP_URL: this also needs DOZOR_EMAIL_FROM and DOZOR_EMAIL_TO"),
        ({"DOZOR_EMAIL_TO": "a@b.example", "DOZOR_EMAIL_FROM": "a@b.example"}, "this also needs DOZOR_SMTP_URL"),
        ({"DOZOR_WEBHOOK_SECRET": "x"}, "DOZOR_WEBHOOK_SECRET: this also needs DOZOR_WEBHOOK_URL"),
        ({"DOZOR_PAGERDUTY_URL": "https://h"}, "DOZOR_PAGERDUTY_URL: this also needs DOZOR_PAGERDUTY_KEY"),
        ({"DOZOR_SLACK_TOKEN": "xoxb-1"}, "DOZOR_SLACK_TOKEN: DOZOR_SLACK_CHANNEL: say where"),
        ({"DOZOR_TELEGRAM_TOKEN": "1:a"}, "DOZOR_TELEGRAM_TOKEN: DOZOR_TELEGRAM_CHAT: set the chat"),
        ({"DOZOR_WEBHOOK_URL": "hooks.example"}, "DOZOR_WEBHOOK_URL: the URL must begin with http"),
        ({"DOZOR_PAGERDUTY_KEY": "a b"}, "DOZOR_PAGERDUTY_KEY: this is no key"),
        ({"DOZOR_NOTIFY_URLS": "nosuch://s3cret"}, "DOZOR_NOTIFY_URLS: Apprise cannot use URL 1 of 1, nosuch://***"),
        ({"DOZOR_SLACK_WEBHOOK": "x"}, "did you mean DOZOR_SLACK_WEBHOOK_URL?"),
        ({"DOZOR_SLACK_TOKEN_FILE": "/nowhere"}, "DOZOR_SLACK_TOKEN_FILE: /nowhere cannot be read"),
        ({"DOZOR_SLACK_TOKEN": "a", "DOZOR_CHANNELS__SLACK__TOKEN": "b"}, "DOZOR_CHANNELS__SLACK__TOKEN gives this"),
        ({"DOZOR_CHANNELS": "x"}, "DOZOR_CHANNELS: channels are written as tables: [channels.NAME]"),
        ({"DOZOR_CHANNELS__OPS": "x"}, "DOZOR_CHANNELS__OPS: a channel is written as a table: [channels.ops]"),
        (
            {"DOZOR_CHANNELS__OPS__URL": "https://h"},
            "DOZOR_CHANNELS__OPS__URL: this channel has no type; there are web",
        ),
        ({"DOZOR_CHANNELS__OPS__TYPE": "pager"}, "DOZOR_CHANNELS__OPS__TYPE: 'pager' is not a type of channel"),
        ({"DOZOR_CHANNELS__LOG__TYPE": "webhook"}, "'log' cannot be the name of a channel"),
    ],
)
def test_half_a_channel_says_what_is_missing_by_its_variable(environ: dict[str, str], said: str) -> None:
    found = mistake(**environ)
    assert said in found
    assert "s3cret" not in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[channels.ops]\ntype = "slack"\nchanel = "#a"',
            "dozor.toml:3: channels.ops.chanel: a channel of type slack has no such key; did you mean channel?",
        ),
        ('[channels.ops]\ntype = "slack"\ntoken = true', "dozor.toml:3: channels.ops.token: this must be some text"),
        (
            '[channels.ops]\ntype = "webhook"',
            "dozor.toml:2: channels.ops.type: this also needs channels.ops.url",
        ),
        ("[channels.ops]", "dozor.toml:1: channels.ops: this channel has no type"),
        ('channels.ops = { type = "x" }', "dozor.toml:1: channels.ops.type: 'x' is not a type"),
        (
            '[channels.a]\ntype = "webhook"\nurl = "https://h"\nsend_resolved = "perhaps"',
            "dozor.toml:4: channels.a.send_resolved: 'perhaps' is neither yes nor no",
        ),
        (
            '[channels."two words"]\ntype = "webhook"',
            "'two words' cannot be the name of a channel",
        ),
    ],
)
def test_a_mistake_in_a_table_is_one_message_with_line_and_key(text: str, said: str) -> None:
    assert said in mistake(text)


def test_all_mistakes_are_told_together() -> None:
    said = mistake('[channels.a]\ntype = "x"\n[channels.b]\ntype = "slack"\nx = 1\ny = 2\n', DOZOR_PORT="0")
    places = sorted(line.split(": ")[0] for line in said.splitlines())
    assert places == ["DOZOR_PORT", "dozor.toml:2", "dozor.toml:5", "dozor.toml:6"]


def test_a_program_gives_channels_or_tables_or_the_keys_of_variables() -> None:
    ready = WebhookChannel("https://hooks.example")
    settings = Settings(
        channels={"ready": ready, "table": {"type": "pagerduty", "routing_key": "k"}},
        telegram_token="1:a",
        telegram_chat="@alerts",
    )
    assert settings.channels["ready"] is ready
    assert settings.channels["table"] == PagerDutyChannel("k")
    assert settings.channels["telegram"] == TelegramChannel("1:a", "@alerts")
    with pytest.raises(ConfigurationError, match=r"Settings: telegram_token: set the bot's token"):
        Settings(telegram_token="x")
    assert Settings(webhook_url=None).channels == {}


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just("https://h/x"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_keys = st.sampled_from(["type", *(key for _, key in VARIABLES.values())]) | st.text(max_size=8)
_tables = st.dictionaries(_keys, _values, max_size=4)
_typed = st.builds(lambda kind, table: table | {"type": kind}, st.sampled_from([*KINDS, "x"]), _tables)


@given(st.dictionaries(st.sampled_from([*KINDS, "ops", "log", ""]), _tables | _typed | _values, max_size=3))
def test_whatever_is_written_makes_channels_or_one_explanation(written: dict[str, object]) -> None:
    with suppress(ValueError):
        assert all(channel.kind in KINDS for channel in parse_channels(written).values())


def test_channels_do_not_change() -> None:
    with pytest.raises(TypeError):
        cast("Any", parse_channels({}))["x"] = 1


def test_every_variable_is_that_of_a_key_that_there_is() -> None:
    channels = load(**EVERYTHING).channels
    for name, key in VARIABLES.values():
        known = {field.name for field in fields(cast("Any", channels[name]))}
        assert {"from": "sender"}.get(key, key) in known


def test_every_variable_is_described() -> None:
    guide = (Path(__file__).parents[2] / "docs/guides/configuration.md").read_text(encoding="utf-8")
    assert [name for name in VARIABLES if f"`DOZOR_{name.upper()}`" not in guide] == []
