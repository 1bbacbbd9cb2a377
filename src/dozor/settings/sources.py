"""Where values come from, and the place to point at when one is wrong."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from typing_extensions import override

from dozor.errors import ConfigurationError, nearest
from dozor.settings.channels import FILE_KEYS, VARIABLES
from dozor.settings.secrets import plain
from dozor.settings.toml_lines import line_at, lines_of

PREFIX: Final = "DOZOR_"

# Read by other parts of the project, or by its tests.
_NOT_SETTINGS: Final = re.compile(r"DOZOR_(CONFIG|DEBUG|SKIP_UI|(TEST|REQUIRE|DEMO)_.*)")
# What Kubernetes puts into every container beside a service that is called "dozor".
_SERVICE_LINKS: Final = re.compile(r"DOZOR_SERVICE_(HOST|PORT.*)|DOZOR_PORT_\d+_(TCP|UDP).*")

# Settings that are lists of tables.
_LISTS: Final = frozenset({"routes", "inhibit"})


class Key(Struct, frozen=True):
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


class Origin(Struct, frozen=True):
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
        table = self.values
        for name in path[:-1]:
            table = table.setdefault(name, {})
        table[path[-1]] = value
        self.origins[".".join(path)] = origin

    def conflict(self, path: tuple[str, ...]) -> Origin | None:
        """Where the value at *path*, a part of it, or what it is a part of, was given before."""
        wanted = ".".join(path)
        for given, origin in self.origins.items():
            if given == wanted or given.startswith(f"{wanted}.") or wanted.startswith(f"{given}."):
                return origin
        return None


def merged(given: Sequence[Given]) -> dict[str, Any]:
    """The values of all, the first over the others; tables part by part."""
    found: dict[str, Any] = {}
    for one in reversed(given):
        found = _over(one.values, found)
    return found


def _over(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(lower)
    for name, value in upper.items():
        below = found.get(name)
        found[name] = _over(value, below) if isinstance(value, dict) and isinstance(below, dict) else value
    return found


def from_flags(keys: Mapping[str, Key], flags: Mapping[str, object]) -> Given:
    """The flags of a command line, by key; those not given are None or empty."""
    given = Given()
    for field_name, key in keys.items():
        value = flags.get(key.name)
        if value is not None and value != []:
            given.put((field_name,), value, Origin(key.flag))
    return given


def from_arguments(keys: Mapping[str, Key], arguments: Mapping[str, object]) -> Given:
    """What a program gives, by field or by key."""
    given = Given()
    fields_by_key = {key.name: field_name for field_name, key in keys.items()}
    for name, value in arguments.items():
        place = VARIABLES.get(name)
        if place is None:
            given.put((fields_by_key.get(name, name),), value, Origin("Settings", name))
            continue
        if value is not None:
            given.put(("channels", *place), plain(value), Origin("Settings", name))
    return given


def from_environment(keys: Mapping[str, Key], environ: Mapping[str, str]) -> Given:
    """The `DOZOR_…` variables. An empty one is as good as none, as compose files write it."""
    reader = _Reader(keys)
    for variable in sorted(environ):
        value = environ[variable]
        if variable.startswith(PREFIX) and value.strip() and not _is_foreign(variable, value):
            reader.take(tuple(variable.removeprefix(PREFIX).lower().split("__")), value, Origin(variable))
    return reader.given


def from_file(keys: Mapping[str, Key], path: Path) -> Given:
    """The TOML file at *path*. Other files that it names are looked for beside it.

    Raises:
        ConfigurationError: it cannot be read, or is not TOML.
    """
    import tomllib  # noqa: PLC0415 - where there is a file

    content = _read(path, Origin(str(path)))
    try:
        document = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"at line (\d+)", str(error))
        found_at = f"{path}:{where[1]}" if where else str(path)
        raise ConfigurationError(f"this is not TOML: {error}", origin=found_at) from None
    reader = _Reader(keys, path.parent)
    lines = lines_of(content)
    for place, value in _leaves(document):
        reader.take(place, value, Origin(f"{path}:{line_at(lines, place)}", ".".join(place)))
    for place, line in lines.items():
        if place[0] in _LISTS and len(place) > 1:
            key = ".".join([f"{place[0]}[{place[1]}]", *place[2:]])
            reader.given.origins[".".join(place)] = Origin(f"{path}:{line}", key)
    return reader.given


class _Reader:
    """Turns what is written under the users' keys into values of fields. Relative paths start at *folder*."""

    def __init__(self, keys: Mapping[str, Key], folder: Path = Path()) -> None:
        self.given = Given()
        self._keys = {key.name: (field_name, key) for field_name, key in keys.items()}
        self._folder = folder

    def take(self, path: tuple[str, ...], value: object, origin: Origin) -> None:
        """Note *value*, written at *origin* under the key, or the part of one, at *path*."""
        path, value = self._from_file(path, value, origin)
        name, *parts = path
        if name in VARIABLES and not parts:
            field_name, parts = "channels", [*VARIABLES[name]]
        elif name in self._keys:
            field_name, key = self._keys[name]
            if key.unit and isinstance(value, (str, int)) and re.fullmatch(r"\s*\d+\s*", str(value)):
                value = f"{str(value).strip()}{key.unit}"
        else:
            self.given.unknown.append(_unknown(name, origin, [*self._keys, *VARIABLES]))
            return
        place = (field_name, *parts)
        earlier = self.given.conflict(place)
        if earlier is not None:
            raise origin.error(f"{earlier} gives this already; leave one of the two out")
        if name == "rules" and isinstance(value, (str, list)):
            listed = value.split(",") if isinstance(value, str) else value
            value = [str(self._path(str(one).strip())) for one in listed if str(one).strip()]
        self.given.put(place, value, origin)

    def _from_file(self, path: tuple[str, ...], value: object, origin: Origin) -> tuple[tuple[str, ...], object]:
        """The key and the text, where *path* is that of the name of a file which holds it."""
        *before, last = path
        stem = last.removesuffix("_file")
        in_channel = before[:1] == ["channels"] and len(before) == 2
        if (in_channel and last in FILE_KEYS) or (
            not before and last in VARIABLES and VARIABLES[last].key in FILE_KEYS
        ):
            return path, str(self._path(value))
        if stem == last or not (in_channel or (not before and self._may_be_in_file(last, stem))):
            return path, value
        return (*before, stem), _read(self._path(value), origin).strip()

    def _may_be_in_file(self, name: str, stem: str) -> bool:
        secret = stem in VARIABLES or (stem in self._keys and self._keys[stem][1].secret)
        return secret and name not in self._keys

    def _path(self, value: object) -> Path:
        return self._folder / Path(str(value)).expanduser()


def _unknown(name: str, origin: Origin, known: Iterable[str]) -> ConfigurationError:
    near = nearest(name, known)
    meant = f"; did you mean {PREFIX + near.upper() if origin.key is None else near}?" if near else ""
    return origin.error(f"there is no such setting{meant}")


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


def _leaves(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Each value, with its path: a table of settings is taken apart, one of channels down to the keys of each."""
    for name, value in document.items():
        for part, one in _parts(value):
            if name == "channels" and part:
                yield from ((((name, *part, *key)), inner) for key, inner in _parts(one))
            else:
                yield (name, *part), one


def _parts(value: object) -> list[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict) and value:
        return [((str(name),), one) for name, one in value.items()]
    return [((), value)]
