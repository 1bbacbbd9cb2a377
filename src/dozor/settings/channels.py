"""The channels that are set up: from tables of the settings file, nested variables, or one variable for each key."""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast, get_type_hints

from dozor.errors import ConfigurationError, nearest
from dozor.notify.notifier import LOG, Channel
from dozor.settings import values
from dozor.settings.secrets import HIDDEN, shown_url, shown_webhook
from dozor.settings.values import PartsError

# Imported when one is set up: who is told by Slack need not load what sends mail.
_CLASSES: Final[Mapping[str, tuple[str, str]]] = {
    "webhook": ("dozor.notify.webhook", "WebhookChannel"),
    "slack": ("dozor.notify.slack", "SlackChannel"),
    "email": ("dozor.notify.email", "EmailChannel"),
    "pagerduty": ("dozor.notify.pagerduty", "PagerDutyChannel"),
    "telegram": ("dozor.notify.telegram", "TelegramChannel"),
    "apprise": ("dozor.notify.apprise", "AppriseChannel"),
    "alertmanager": ("dozor.notify.alertmanager", "AlertmanagerChannel"),
}
KINDS: Final = tuple(_CLASSES)

FILE_KEYS: Final = frozenset({"ca_file"})
"""Keys of channels that name a file which is not read for its text."""

# A keyword of Python cannot be the name of a field.
_FIELD_OF_KEY: Final = {"from": "sender"}
_KEY_OF_FIELD: Final = {field: key for key, field in _FIELD_OF_KEY.items()}
# What ends one URL and begins the next, in text that holds several.
_NEXT_URL: Final = re.compile(r"[\s,;]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")


class ChannelKey(NamedTuple):
    """The place, in a table of channels, of what has a variable of its own. The channel is called by its type."""

    channel: str
    key: str


VARIABLES: Final[Mapping[str, ChannelKey]] = {
    "webhook_url": ChannelKey("webhook", "url"),
    "webhook_secret": ChannelKey("webhook", "secret"),
    "slack_webhook_url": ChannelKey("slack", "webhook_url"),
    "slack_token": ChannelKey("slack", "token"),
    "slack_channel": ChannelKey("slack", "channel"),
    "slack_signing_secret": ChannelKey("slack", "signing_secret"),
    "slack_api_url": ChannelKey("slack", "api_url"),
    "smtp_url": ChannelKey("email", "smtp_url"),
    "smtp_starttls": ChannelKey("email", "starttls"),
    "smtp_ca_file": ChannelKey("email", "ca_file"),
    "email_from": ChannelKey("email", "from"),
    "email_to": ChannelKey("email", "to"),
    "pagerduty_key": ChannelKey("pagerduty", "routing_key"),
    "pagerduty_url": ChannelKey("pagerduty", "url"),
    "telegram_token": ChannelKey("telegram", "token"),
    "telegram_chat": ChannelKey("telegram", "chat"),
    "telegram_url": ChannelKey("telegram", "api_url"),
    "notify_urls": ChannelKey("apprise", "urls"),
    "alertmanager_url": ChannelKey("alertmanager", "url"),
}
"""The keys, as they are written in the file or, with DOZOR_ before them, in the environment, of one channel of each type."""


def parse_channels(value: object) -> Mapping[str, Channel]:
    """Channels by name: from a mapping of names to tables, or to channels that a program made.

    Raises:
        PartsError: what is wrong, by the path of the key: `ops.token`.
    """
    if not isinstance(value, Mapping):
        # Not TypeError: what is wrong with a value is said by ValueError only.
        raise ValueError("channels are written as tables: [channels.NAME]")  # noqa: TRY004
    found: dict[str, Channel] = {}
    mistakes: dict[str, str] = {}
    for name, given in value.items():
        try:
            found[name] = _channel(str(name), given)
        except PartsError as errors:
            mistakes |= errors.parts
    if mistakes:
        raise PartsError(mistakes)
    return MappingProxyType(found)


def shown_channel(channel: Channel) -> dict[str, str]:
    """What *channel* consists of, by key, without secrets."""
    return {_key(field): _shown(field, getattr(channel, field.name)) for field in fields(cast("Any", channel))}


def _channel(name: str, given: object) -> Channel:
    if not values.NAME.fullmatch(name) or name == LOG:
        raise PartsError({name: f"{name!r} cannot be the name of a channel; {values.NAME_RULE}, and log is taken"})
    if callable(getattr(given, "build", None)):
        return cast("Channel", given)
    if not isinstance(given, Mapping):
        raise PartsError({name: f"a channel is written as a table: [channels.{name}]"})
    kind = given.get("type", name if name in KINDS else None)
    if kind not in KINDS:
        said = "this channel has no type" if kind is None else f"{kind!r} is not a type of channel"
        raise PartsError({f"{name}.type" if "type" in given else name: f"{said}; there are {', '.join(KINDS)}"})
    written = {key: value for key, value in given.items() if key != "type"}
    return _built(name, kind, written)


def _built(name: str, kind: str, written: Mapping[str, object]) -> Channel:
    module, class_name = _CLASSES[kind]
    made = getattr(import_module(module), class_name)
    known = {_key(field): field for field in fields(made)}
    hints = get_type_hints(made)
    arguments: dict[str, object] = {}
    mistakes: dict[str, str] = {}
    for key, value in written.items():
        field = known.get(key)
        if field is None:
            mistakes[f"{name}.{key}"] = f"a channel of type {kind} has no such key{_meant(key, known)}"
            continue
        try:
            arguments[field.name] = _reader(key, hints[field.name])(value)
        except ValueError as error:
            mistakes[f"{name}.{key}"] = str(error)
    missing = [] if mistakes else _missing(known, written)
    if missing:
        mistakes[name] = f"this also needs {' and '.join(_label(name, kind, key) for key in missing)}"
    if mistakes:
        raise PartsError(mistakes)
    try:
        return cast("Channel", made(**arguments))
    except ConfigurationError as error:
        key = _KEY_OF_FIELD.get(error.key or "", error.key or "")
        said = str(error).removeprefix(f"{error.key}: ")
        if key in written:
            raise PartsError({f"{name}.{key}": said}) from None
        raise PartsError({name: f"{_label(name, kind, key)}: {said}" if key else said}) from None


def _label(name: str, kind: str, key: str) -> str:
    """How to write *key* where it is not written yet."""
    variable = next((variable for variable, at in VARIABLES.items() if at == (name, key)), None)
    return f"DOZOR_{variable.upper()}" if variable and name == kind else f"channels.{name}.{key}"


def _missing(known: Mapping[str, "Field[Any]"], written: Mapping[str, object]) -> list[str]:
    return [
        key
        for key, field in known.items()
        if key not in written and field.default is MISSING and field.default_factory is MISSING
    ]


def _meant(key: str, known: Mapping[str, object]) -> str:
    near = nearest(key, known)
    return f"; did you mean {near}?" if near else f"; it has {', '.join(known)}"


def _key(field: "Field[Any]") -> str:
    """How a field is written."""
    return _KEY_OF_FIELD.get(field.name, field.name.removesuffix("_seconds"))


def _reader(key: str, hint: object) -> Callable[[object], object]:
    """What turns text, or a value of TOML, into a field's value."""
    plain = str(hint)
    if "tuple" in plain:
        return _urls if key == "urls" else _texts
    if hint is bool:
        return values.switch
    if "float" in plain:
        return values.duration(0.1, 3600)
    if "Path" in plain:
        return lambda value: Path(_text(value)).expanduser()
    return _text


def _text(value: object) -> str:
    return values.text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(values.items(value))


def _urls(value: object) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)) or not all(isinstance(one, str) for one in listed):
        raise ValueError("this must be text, or a list of texts")
    return tuple(url for one in listed for part in _NEXT_URL.split(one) if (url := part.strip(" ,;\r\n\t")))


def _shown(field: "Field[Any]", value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(_shown(field, one) for one in value)
    if isinstance(value, bool):
        return "1" if value else "0"
    return _masked(str(value)) if field.metadata.get("secret") else str(value)


def _masked(secret: str) -> str:
    """As much of *secret* as is none. Of a URL of Apprise's the host, too, may be a token."""
    scheme, separator, _ = secret.partition("://")
    if not separator:
        return HIDDEN
    if scheme in {"http", "https"}:
        return shown_webhook(secret)
    return shown_url(secret) if scheme in {"smtp", "smtps"} else f"{scheme}://{HIDDEN}"
