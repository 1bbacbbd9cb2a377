"""Where values come from, and the place to point at when one is wrong."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from typing_extensions import override

from dozor.errors import ConfigurationError

PREFIX: Final = "DOZOR_"

# Read by other parts of the project, or by its tests.
_NOT_SETTINGS: Final = re.compile(r"DOZOR_(CONFIG|DEBUG|SKIP_UI|(TEST|REQUIRE|DEMO)_.*)")
# What Kubernetes puts into every container beside a service that is called "dozor".
_SERVICE_LINKS: Final = re.compile(r"DOZOR_SERVICE_(HOST|PORT.*)|DOZOR_PORT_\d+_(TCP|UDP).*")

_TELL_OTHERWISE: Final = "use DOZOR_WEBHOOK_URL, the log or a notifier of your own"
_NOT_YET: Final = {
    "slack_webhook_url": ("Slack", _TELL_OTHERWISE),
    "smtp_url": ("email", _TELL_OTHERWISE),
    "email_from": ("email", _TELL_OTHERWISE),
    "email_to": ("email", _TELL_OTHERWISE),
    "pagerduty_key": ("PagerDuty", _TELL_OTHERWISE),
    "telegram_token": ("Telegram", _TELL_OTHERWISE),
    "telegram_chat": ("Telegram", _TELL_OTHERWISE),
    "notify_urls": ("Apprise", _TELL_OTHERWISE),
    "metrics_url": ("a metrics server of its own", "samples are kept in memory, and /metrics hands them to Prometheus"),
}


@dataclass(frozen=True, slots=True)
class Key:
    """How a setting is written: `interval` is `DOZOR_INTERVAL`, `--interval`, and `interval` in `dozor.toml`.

    Attributes:
        unit: what a bare number counts, where the name says so (`slow_query_ms`).
        secret: whether it may be given as the path of a file that holds it, under the name with `_file` behind it.
    """

    name: str
    unit: str = ""
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The flag of `dozor serve`."""
        return "--" + self.name.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written: a flag, a variable, or file:line and the key there."""

    place: str
    key: str | None = None

    @override
    def __str__(self) -> str:
        return self.place if self.key is None else f"{self.place} ({self.key})"

    def error(self, message: str) -> ConfigurationError:
        """*message*, said of what is written here."""
        return ConfigurationError(message, key=self.key, origin=self.place)


@dataclass
class Given:
    """What one source gives: values by field, and the origin of each; `cooldown.warning` for a part of one."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    unknown: list[ConfigurationError] = field(default_factory=list)

    def put(self, path: tuple[str, ...], value: object, origin: Origin) -> None:
        """Note *value* for the field, or the part of one, at *path*."""
        if len(path) == 1:
            self.values[path[0]] = value
        else:
            parts = self.values.get(path[0])
            self.values[path[0]] = {**(parts if isinstance(parts, dict) else {}), path[1]: value}
        self.origins[".".join(path)] = origin


class GivenSource(PydanticBaseSettingsSource):
    """A `Given` as pydantic-settings takes it, which merges the sources, tables part by part."""

    def __init__(self, settings: type[BaseSettings], given: Given) -> None:
        super().__init__(settings)
        self._given = given

    @override
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._given.values.get(field_name), field_name, False

    @override
    def __call__(self) -> dict[str, Any]:
        return self._given.values


def from_flags(keys: Mapping[str, Key], flags: Mapping[str, object]) -> Given:
    """The flags of a command line, by key; those not given are None or empty."""
    given = Given()
    for field_name, key in keys.items():
        value = flags.get(key.name)
        if value is not None and value != []:
            given.put((field_name,), value, Origin(key.flag))
    return given


def from_arguments(arguments: Mapping[str, object]) -> Given:
    """What a program gives, by field."""
    given = Given()
    for name, value in arguments.items():
        given.put((name,), value, Origin("Settings", name))
    return given


def from_environment(keys: Mapping[str, Key], environ: Mapping[str, str]) -> Given:
    """The `DOZOR_…` variables. An empty one is as good as none, as compose files write it."""
    reader = _Reader(keys)
    for variable in sorted(environ):
        value = environ[variable]
        if variable.startswith(PREFIX) and value.strip() and not _is_foreign(variable, value):
            name, _, part = variable.removeprefix(PREFIX).lower().partition("__")
            reader.take(name, part, value, Origin(variable))
    return reader.given


def from_file(keys: Mapping[str, Key], path: Path) -> Given:
    """The TOML file at *path*. Other files that it names are looked for beside it.

    Raises:
        ConfigurationError: it cannot be read, or is not TOML.
    """
    content = _read(path, Origin(str(path)))
    try:
        document = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        place = f"{path}:{line[1]}" if line else str(path)
        raise ConfigurationError(f"this is not TOML: {error}", origin=place) from None
    reader = _Reader(keys, path.parent)
    for name, value in document.items():
        parts = value.items() if isinstance(value, dict) and value else [("", value)]
        for part, one in parts:
            origin = Origin(f"{path}:{_line_of(content, name, part)}", f"{name}.{part}" if part else name)
            reader.take(name, part, one, origin)
    return reader.given


class _Reader:
    """Turns what is written under the users' keys into values of fields. Relative paths start at *folder*."""

    def __init__(self, keys: Mapping[str, Key], folder: Path = Path()) -> None:
        self.given = Given()
        self._keys = {key.name: (field_name, key) for field_name, key in keys.items()}
        self._folder = folder

    def take(self, name: str, part: str, value: object, origin: Origin) -> None:
        """Note *value*, written at *origin* under the key *name*, or in its *part*."""
        if name not in self._keys and (secret := self._secret_in_file(name)) is not None:
            name, value = secret, _read(self._path(value), origin).strip()
        if name not in self._keys:
            self.given.unknown.append(_unknown(name, origin, self._keys))
            return
        field_name, key = self._keys[name]
        earlier = self.given.values.get(field_name)
        if earlier is not None and not (part and isinstance(earlier, dict)):
            raise origin.error(f"{self.given.origins[field_name]} gives this already; leave one of the two out")
        if key.unit and isinstance(value, (str, int)) and re.fullmatch(r"\s*\d+\s*", str(value)):
            value = f"{str(value).strip()}{key.unit}"
        if name == "rules" and isinstance(value, (str, list)):
            listed = value.split(",") if isinstance(value, str) else value
            value = [str(self._path(str(one).strip())) for one in listed if str(one).strip()]
        self.given.put((field_name, part) if part else (field_name,), value, origin)

    def _secret_in_file(self, name: str) -> str | None:
        """The key whose value is in the file that *name* gives, if it is such a key."""
        secret = name.removesuffix("_file")
        return secret if secret != name and secret in self._keys and self._keys[secret][1].secret else None

    def _path(self, value: object) -> Path:
        return self._folder / Path(str(value)).expanduser()


def _unknown(name: str, origin: Origin, known: Iterable[str]) -> ConfigurationError:
    missing = _NOT_YET.get(name.removesuffix("_file"))
    if missing is not None:
        what, instead = missing
        return NotAvailableError(
            f"{what} is not available in this version; take this out: {instead}", key=origin.key, origin=origin.place
        )
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    meant = f"; did you mean {PREFIX + near[0].upper() if origin.key is None else near[0]}?" if near else ""
    return origin.error(f"there is no such setting{meant}")


class NotAvailableError(ConfigurationError):
    """Asked for on purpose and not there: to go on without it would be to keep silent later."""


def _is_foreign(variable: str, value: str) -> bool:
    service_link = variable == "DOZOR_PORT" and "://" in value
    return service_link or bool(_NOT_SETTINGS.fullmatch(variable) or _SERVICE_LINKS.fullmatch(variable))


def _read(path: Path, origin: Origin) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise origin.error(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise origin.error(f"{path} is not UTF-8 text") from None


def _line_of(content: str, name: str, part: str) -> int:
    """The line, from 1, at which *part* of table *name*, or key *name*, is written; tomllib does not tell."""
    table = ""
    for number, line in enumerate(content.splitlines(), 1):
        if header := re.match(r"\s*\[\s*[\"']?([\w.-]+)[\"']?\s*\]", line):
            table = header[1]
            if table == name and not part:
                return number
        elif written := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            dotted = ".".join(filter(None, [table, written[1].replace('"', "").replace("'", "")]))
            if dotted in {name, f"{name}.{part}"}:
                return number
    return 1
