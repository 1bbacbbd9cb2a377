"""One record of all settings."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self, get_type_hints

from dozor.alerts.inhibition import InhibitRule
from dozor.duration import format_duration
from dozor.errors import ConfigurationError
from dozor.model.alert import Severity
from dozor.notify.notifier import LOG, Channel
from dozor.notify.routing import Route
from dozor.settings import sources, values
from dozor.settings.channels import VARIABLES, parse_channels, shown_channel
from dozor.settings.routes import parse_inhibit_rules, parse_routes, shown_inhibit_rule, shown_route
from dozor.settings.secrets import HIDDEN, Secret, shown_url, shown_webhook
from dozor.settings.sources import Given, Key, Origin
from dozor.settings.values import NamedUrl

logger = logging.getLogger("dozor")

DEFAULT_FILE: Final = Path("dozor.toml")

_read_web_url: Final = values.url(values.WEB)


class Read(NamedTuple):
    """How the value of a field is read: *parse* takes what was written, or raises ValueError with a sentence."""

    parse: Callable[[object], Any]


class Shown(NamedTuple):
    """One setting for `dozor config show`: its key, its value without secrets, and where it was written."""

    key: str
    value: str
    origin: str


@dataclass(frozen=True, init=False)
class Settings:
    """Everything that can be set. Immutable, and checked: an instance holds nothing that does not make sense.

    `Settings(interval_seconds=0.5)` takes what it is given and reads nothing else; `Settings.load` reads flags, the
    environment and `dozor.toml`. Fields are in seconds and bytes; text such as `"500ms"` is understood for them as well.

    Raises:
        ConfigurationError: something is wrong; the message says what, and where it is written.
    """

    # What is watched, and how closely.
    enabled: Annotated[bool, Read(values.switch), Key("enabled")] = True
    database_urls: Annotated[
        tuple[NamedUrl, ...], Read(values.urls(values.DATABASE)), Key("database_url", secret=True)
    ] = ()
    redis_urls: Annotated[tuple[NamedUrl, ...], Read(values.urls(values.REDIS)), Key("redis_url", secret=True)] = ()
    # The shortest window of a default rule is 1m; a rate needs two samples in it.
    interval_seconds: Annotated[float, Read(values.duration(0.1, 30)), Key("interval")] = 1.0
    slow_query_seconds: Annotated[float, Read(values.duration(0.001, 3600)), Key("slow_query_ms", unit="ms")] = 1.0
    repeated_query_count: Annotated[int, Read(values.count(2, 100_000)), Key("n_plus_one")] = 10
    """From how often on a request repeats a statement (N+1)."""
    slow_request_seconds: Annotated[float, Read(values.duration(0.001, 3600)), Key("slow_request_ms", unit="ms")] = 1.0
    stall_seconds: Annotated[float, Read(values.duration(0.02, 60)), Key("stall_ms", unit="ms")] = 0.25
    """From when on an event loop that does not answer is blocked."""
    cpu_budget_percent: Annotated[float, Read(values.percent(0.1, 100)), Key("cpu_budget")] = 10.0
    """Of one core. Beyond it Dozor leaves detail out."""
    scrape_urls: Annotated[
        tuple[NamedUrl, ...],
        Read(values.urls(values.SCRAPED, values.host_name)),
        Key("scrape", secret=True),
    ] = ()
    scrape_interval_seconds: Annotated[float, Read(values.duration(1, 300)), Key("scrape_interval")] = 5.0
    scrape_token_file: Annotated[Path | None, Read(values.path), Key("scrape_token_file")] = None
    """The file itself is read before each scrape: such tokens are renewed while Dozor runs."""
    remote_write: Annotated[bool, Read(values.switch), Key("remote_write")] = False
    """Whether others may send series."""
    leak_after_seconds: Annotated[float, Read(values.duration(0.1, 86400)), Key("leak_after")] = 60.0
    pool_stacks: Annotated[
        Literal["off", "auto", "all"], Read(values.choice("off", "auto", "all")), Key("pool_stacks")
    ] = "auto"
    """Whether to note in which line of code connections are taken."""
    workers: Annotated[int | None, Read(values.count(1, 10_000)), Key("workers")] = None
    """How many processes run the application; None: found out as far as possible."""

    # Dozor itself.
    name: Annotated[str | None, Read(values.text), Key("name")] = None
    environment: Annotated[str | None, Read(values.text), Key("environment")] = None
    version: Annotated[str | None, Read(values.text), Key("version")] = None
    """Of the application; when it is another than before, that is marked as a deploy."""
    host: Annotated[str, Read(values.host), Key("host")] = "127.0.0.1"
    port: Annotated[int, Read(values.port), Key("port")] = 8002
    api_key: Annotated[Secret | None, Read(values.secret(values.key)), Key("api_key", secret=True)] = None
    max_streams: Annotated[int, Read(values.count(1, 1000)), Key("max_streams")] = 50
    """How many pages may be kept up to date at once."""
    external_url: Annotated[str | None, Read(_read_web_url), Key("external_url")] = None
    heartbeat_url: Annotated[str | None, Read(_read_web_url), Key("heartbeat_url", secret=True)] = field(
        default=None, repr=False
    )
    url: Annotated[str, Read(_read_web_url), Key("url")] = field(default="http://127.0.0.1:8002", repr=False)
    config: Annotated[Path | None, Read(values.path)] = None
    strict: Annotated[bool, Read(values.switch)] = False
    """Whether this is an agent, which would rather not start than start half, and no guest in an application."""

    # What is kept.
    store_url: Annotated[str | None, Read(values.url(values.STORE)), Key("store_url", secret=True)] = field(
        default=None, repr=False
    )
    store_memory_bytes: Annotated[int, Read(values.size), Key("store_memory")] = 32 * 2**20
    history_bytes: Annotated[int, Read(values.size), Key("history_size")] = 2**30
    history_days: Annotated[int, Read(values.count(1, 3650)), Key("history_days")] = 90

    metrics_url: Annotated[str | None, Read(_read_web_url), Key("metrics_url", secret=True)] = field(
        default=None, repr=False
    )
    """A Prometheus-compatible server whose series rules and queries see beside Dozor's own."""

    # Rules.
    rules: Annotated[tuple[Path, ...], Read(values.paths), Key("rules")] = ()
    disabled_rules: Annotated[frozenset[str], Read(values.words), Key("disabled_rules")] = frozenset()
    cooldowns: Annotated[Mapping[Severity, float], Read(values.cooldowns), Key("cooldown")] = field(
        default_factory=lambda: values.cooldowns({})
    )

    # Who is told.
    channels: Annotated[Mapping[str, Channel], Read(parse_channels), Key("channels")] = field(
        default_factory=lambda: parse_channels({})
    )
    """The channels by name. What has a variable of its own, as `slack_token`, is also taken as an argument of that name."""
    routes: Annotated[tuple[Route, ...], Read(parse_routes), Key("routes")] = ()
    inhibit: Annotated[tuple[InhibitRule, ...], Read(parse_inhibit_rules), Key("inhibit")] = ()
    locale: Annotated[str, Read(values.choice("en", "ru")), Key("locale")] = "en"
    group_interval_seconds: Annotated[float, Read(values.duration(0, 86400)), Key("group_interval")] = 60.0
    reminder_interval_seconds: Annotated[float, Read(values.duration(60, 30 * 86400)), Key("reminder_interval")] = (
        14400.0
    )

    # Alerts that come and go.
    flapping_count: Annotated[int, Read(values.count(0, 1000)), Key("flapping_count")] = 4
    """How often an alert fires within the window before it counts as flapping; 0: none ever does."""
    flapping_window_seconds: Annotated[float, Read(values.duration(60, 86400)), Key("flapping_window")] = 1800.0
    flapping_quiet_seconds: Annotated[float, Read(values.duration(0, 86400)), Key("flapping_quiet")] = 900.0

    _origins: Mapping[str, Origin] = field(default_factory=dict, repr=False, compare=False)

    def __init__(self, **given: Any) -> None:
        self._build((sources.from_arguments(KEYS, given),))

    @classmethod
    def load(
        cls,
        *,
        flags: Mapping[str, object] | None = None,
        environ: Mapping[str, str] = os.environ,
        strict: bool = False,
    ) -> Self:
        """What *flags* (by key, without `--`), else the environment, else `dozor.toml`, else the defaults say.

        Args:
            flags: of a command line; `config` names the file, else `DOZOR_CONFIG` does, else `./dozor.toml` if it is there.
            environ: the environment.
            strict: whether a `DOZOR_…` variable that means nothing is an error, as it should be for a program that is all
                Dozor. Inside an application it is a warning in the log: a misspelt variable is no reason not to start.

        Raises:
            ConfigurationError: something is wrong; the message says what, and where it is written.
        """
        flags = flags or {}
        found, origin = _config_file(flags, environ)
        given = [sources.from_flags(KEYS, flags), sources.from_environment(KEYS, environ)]
        if found is not None and origin is not None:
            given.append(sources.from_file(KEYS, found))
            given[-1].put(("config",), found, origin)
        _complain(given, strict=strict)
        given.append(Given({"strict": strict}))
        settings = cls.__new__(cls)
        settings._build(tuple(given))
        return settings

    def _build(self, given: tuple[Given, ...]) -> None:
        """Merge *given*, the first over the others, and check it."""
        origins: dict[str, Origin] = {}
        for one in reversed(given):
            origins |= one.origins
        written = sources.merged(given)
        found = {one.name: one.default_factory() for one in fields(self) if one.default_factory is not MISSING}
        mistakes: list[ConfigurationError] = []
        for name, parse in _PARSERS.items():
            if name in written:
                value, unset = written[name], getattr(type(self), name, MISSING)
                try:
                    found[name] = None if value is None is unset else parse(value)
                except ValueError as error:
                    mistakes += _mistakes(name, error, origins)
        mistakes += [_mistake(name, "there is no such setting", origins) for name in written.keys() - _PARSERS.keys()]
        if mistakes:
            raise _together(mistakes)
        self.__dict__.update(found, _origins=origins)
        if self.strict:
            self._check_routes()

    def _check_routes(self) -> None:
        """In an agent all channels are known here; an application may bring notifiers of its own."""
        known = [LOG, *self.channels]
        errors = [
            _nearest(f"routes.{number}.to", self._origins)[0].error(
                f"there is no channel {name}; channels: {', '.join(known)}"
            )
            for number, route in enumerate(self.routes, 1)
            for name in route.to
            if name not in known
        ]
        if errors:
            raise _together(errors)

    def shown(self) -> Iterator[Shown]:
        """Every setting as it may be shown to people."""
        for name, key in KEYS.items():
            if name == "channels":
                yield from self._shown_channels()
                continue
            origin = self._origins.get(name) or next(
                (origin for path, origin in self._origins.items() if path.startswith(f"{name}.")), None
            )
            yield Shown(key.name, _shown(name, key, getattr(self, name)), _said(origin))

    def _shown_channels(self) -> Iterator[Shown]:
        """Those of a variable of their own under its name, all other keys of channels by their path."""
        parts = {name: shown_channel(channel) for name, channel in self.channels.items()}
        for variable, (name, key) in VARIABLES.items():
            plain = name in self.channels and self.channels[name].kind == name
            value = parts[name].pop(key, "") if plain else ""
            origin = self._origins.get(f"channels.{name}.{key}") if plain else None
            yield Shown(variable, value, _said(origin))
        for name, rest in parts.items():
            for key, value in rest.items():
                path = f"channels.{name}.{key}"
                yield Shown(path, value, _said(self._origins.get(path) or self._origins.get(f"channels.{name}")))


_NOTES: Final = {
    name: hint.__metadata__ for name, hint in get_type_hints(Settings, include_extras=True).items() if name[0] != "_"
}
KEYS: Final[Mapping[str, Key]] = {
    name: note for name, notes in _NOTES.items() for note in notes if isinstance(note, Key)
}
_PARSERS: Final = {name: note.parse for name, notes in _NOTES.items() for note in notes if isinstance(note, Read)}


def _config_file(flags: Mapping[str, object], environ: Mapping[str, str]) -> tuple[Path | None, Origin | None]:
    for value, origin in (
        (flags.get("config"), Origin("--config")),
        (environ.get("DOZOR_CONFIG", "").strip(), Origin("DOZOR_CONFIG")),
    ):
        if value:
            path = Path(str(value)).expanduser()
            if not path.is_file():
                raise origin.error(f"there is no file {path}")
            return path, origin
    return (DEFAULT_FILE, Origin("the current folder")) if DEFAULT_FILE.is_file() else (None, None)


def _complain(given: list[Given], *, strict: bool) -> None:
    """Raise what is unknown: all of it where *strict*, else what stands in a file or was asked for on purpose."""
    grave: list[ConfigurationError] = []
    light: list[ConfigurationError] = []
    for one in given:
        for error in one.unknown:
            in_environment = error.key is None
            (light if in_environment and not strict else grave).append(error)
    if grave:
        raise _together(grave)
    for error in light:
        logger.warning("%s", error)


def _mistakes(name: str, error: ValueError, origins: Mapping[str, Origin]) -> list[ConfigurationError]:
    """What is wrong with the field *name*, or with parts of it, each with the place where it was written."""
    parts = error.parts if isinstance(error, values.PartsError) else {"": str(error)}
    return [_mistake(f"{name}.{part}" if part else name, said, origins) for part, said in parts.items()]


def _mistake(path: str, message: str, origins: Mapping[str, Origin]) -> ConfigurationError:
    """*message*, said of what is at *path*, or, where that has no place, of what it belongs to."""
    if path in origins:
        return origins[path].error(message)
    origin, holder = _nearest(path, origins)
    part = path.removeprefix(f"{holder}.")
    said = message if part == path or part in message else f"{part}: {message}"
    return origin.error(said) if holder else ConfigurationError(message, key=path)


def _nearest(path: str, origins: Mapping[str, Origin]) -> tuple[Origin, str]:
    """The place of *path*, or of what holds it, or of a neighbour there; and the path that this is the place of."""
    holder = path
    while holder:
        if holder in origins:
            return origins[holder], holder
        inside = next((origin for other, origin in origins.items() if other.startswith(f"{holder}.")), None)
        if inside is not None:
            return inside, holder
        holder = holder.rpartition(".")[0]
    return Origin("settings"), ""


def _said(origin: Origin | None) -> str:
    return "default" if origin is None else str(origin)


def _together(errors: list[ConfigurationError]) -> ConfigurationError:
    """One error that says all of *errors*, a line each."""
    if len(errors) == 1:
        return errors[0]
    return ConfigurationError("\n".join(str(error) for error in errors))


def _shown(field: str, key: Key, value: object) -> str:
    """*value* as a user would write it, without secrets."""
    match value:
        case None:
            text = ""
        case Secret():
            text = HIDDEN
        case bool():
            text = "1" if value else "0"
        case int() if field.endswith("_bytes"):
            text = values.shown_size(value)
        case float():
            text = f"{value * 1000:g}" if key.unit == "ms" else format_duration(value)
        case Mapping():
            text = ", ".join(f"{severity.value.lower()}={format_duration(after)}" for severity, after in value.items())
        case tuple() if field == "routes":
            text = "; ".join(map(shown_route, value))
        case tuple() if field == "inhibit":
            text = "; ".join(map(shown_inhibit_rule, value))
        case tuple():
            text = ", ".join(map(str, value))
        case frozenset():
            text = ", ".join(sorted(value))
        case _ if field == "heartbeat_url":
            text = shown_webhook(str(value))
        case _:
            text = shown_url(str(value))
    return text
