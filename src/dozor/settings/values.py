"""How each kind of value is written, and what is said where it is not.

Every function takes what a flag, a variable, `dozor.toml` or a program gave and returns what the inside works with; it
raises ValueError with a sentence for the user, which never repeats a secret.
"""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct, field
from typing_extensions import override

from dozor.duration import format_duration, parse_duration
from dozor.instruments import redis_url
from dozor.model.alert import Severity
from dozor.settings.secrets import Secret, plain, shown_url

_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]i?B?|B)?", re.IGNORECASE)
_SIZE_UNITS: Final = {"": 1, "k": 1000, "ki": 2**10, "m": 1000**2, "mi": 2**20, "g": 1000**3, "gi": 2**30}
_URL: Final = r"[A-Za-z][A-Za-z0-9+._-]*://"
_NAMED_URL: Final = re.compile(rf"(?:(?P<name>.*?)=)?(?P<url>{_URL}.*)", re.DOTALL)
# A comma that begins the next [NAME=]URL; any other one belongs to the URL, to its password or path.
_NEXT_URL: Final = re.compile(rf",\s*(?=(?:[^,=/]*=)?{_URL})")
_DEFAULT_COOLDOWNS: Final = {
    Severity.INFO: 900.0,
    Severity.WARNING: 300.0,
    Severity.CRITICAL: 0.0,
    Severity.EMERGENCY: 0.0,
}
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
NAME_RULE: Final = "a name has letters, digits and . _ - and begins with one of the first two"


class NamedUrl(Struct, frozen=True):
    """A server to watch. Its URL holds credentials; `str` and `repr` do not."""

    name: str
    url: str

    @property
    def shown(self) -> str:
        """The URL without its secrets."""
        return shown_url(self.url)

    @override
    def __str__(self) -> str:
        return f"{self.name}={self.shown}"

    @override
    def __repr__(self) -> str:
        return f"NamedUrl(name={self.name!r}, url={self.shown!r})"


class UrlKind(Struct, frozen=True):
    """What a URL may be.

    Attributes:
        schemes: what may stand before `://`, and what the inside works with.
        refused: (pattern of scheme, sentence): what users try and cannot have yet.
        example: how to write one.
        needs_host: whether `scheme:///path` is wrong.
        parsed: by scheme, what reads such a URL and raises ValueError with a sentence for the user; it may have several hosts.
    """

    schemes: Mapping[str, str]
    example: str
    refused: tuple[tuple[str, str], ...] = ()
    needs_host: bool = True
    parsed: Mapping[str, Callable[[str], object]] = field(default_factory=dict)


class PartsError(ValueError):
    """Parts of a table are wrong: by the path of each, what is wrong with it."""

    def __init__(self, parts: Mapping[str, str]) -> None:
        self.parts = dict(parts)
        super().__init__("\n".join(f"{part}: {message}" for part, message in parts.items()))


def _same(*schemes: str) -> dict[str, str]:
    return {scheme: scheme for scheme in schemes}


DATABASE: Final = UrlKind(
    {
        **_same("postgresql", "postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg", "pgbouncer"),
        **_same("sqlite", "sqlite+pysqlite", "sqlite+aiosqlite"),
        "postgres": "postgresql",
    },
    example="postgresql://user:password@host:5432/database",
    refused=((r"(mysql|mariadb|oracle|mssql|mongodb)\b.*", "{scheme} servers cannot be watched in this version"),),
    needs_host=False,
)
REDIS: Final = UrlKind(
    {**_same("redis", "rediss", "unix"), "valkey": "redis", "valkeys": "rediss", **redis_url.SCHEMES},
    example="redis://:password@host:6379/0",
    refused=((r".*(cluster|sentinel).*", f"{{scheme}}:// is not known here; write {redis_url.HOW}"),),
    needs_host=False,
    parsed=dict.fromkeys(redis_url.SCHEMES.values(), redis_url.parse_many),
)
STORE: Final = UrlKind(
    {**_same("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"), "postgres": "postgresql"},
    example="sqlite:////var/lib/dozor/shop.db or postgresql://user:password@host/dozor",
    needs_host=False,
)
WEB: Final = UrlKind(_same("http", "https"), example="https://host/path")
SCRAPED: Final = UrlKind(_same("http", "https"), example="http://host:8000/metrics")


def text(value: object) -> str:
    """Some text, without white space around it."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("this must be some text")
    return value.strip()


def switch(value: object) -> bool:
    """Yes or no."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError(f"{value!r} is neither yes nor no; write 1 or 0")


def key(value: object) -> str:
    """A key as it can stand in an HTTP header."""
    word = text(value)
    if not word.isascii() or not word.isprintable() or " " in word:
        raise ValueError("a key consists of ASCII letters, digits and signs, without spaces")
    return word


def secret(parse: Callable[[object], str]) -> Callable[[object], Secret]:
    """What *parse* takes, kept so that it is not shown by accident."""
    return lambda value: Secret(parse(plain(value)))


def port(value: object) -> int:
    """A TCP port."""
    number = _integer(value)
    if number is None or not 1 <= number <= 65535:
        raise ValueError(f"{value!r} is not a port; write a number from 1 to 65535")
    return number


def choice(*known: str) -> Callable[[object], str]:
    """One of the words in *known*."""

    def parse(value: object) -> str:
        word = text(value).lower()
        if word not in known:
            raise ValueError(f"{value!r} is not one of {', '.join(known)}")
        return word

    return parse


def host(value: object) -> str:
    """The address, or name, of an interface to listen at."""
    word = text(value).strip("[]")
    if not re.fullmatch(r"[A-Za-z0-9_.:%-]+", word):
        raise ValueError(f"{value!r} is not an address to listen at; write 127.0.0.1, 0.0.0.0, :: or a host name")
    return word


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches what listens at *address*."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def count(least: int, most: int) -> Callable[[object], int]:
    """A whole number from *least* to *most*."""

    def parse(value: object) -> int:
        number = _integer(value)
        if number is None or not least <= number <= most:
            raise ValueError(f"{value!r} is not a whole number from {least} to {most}")
        return number

    return parse


def percent(least: float, most: float) -> Callable[[object], float]:
    """A percentage from *least* to *most*, as `5`, `2.5%`, or a number."""

    def parse(value: object) -> float:
        bare = value.strip().removesuffix("%").strip() if isinstance(value, str) else value
        try:
            number = float(bare) if isinstance(bare, str) else _number(bare)
        except ValueError:
            number = None
        if number is None or not math.isfinite(number):
            raise ValueError(f"{value!r} is not a percentage; write it like 5 or 2.5%")
        if not least <= number <= most:
            raise ValueError(f"{value!r} is not between {least:g} and {most:g} percent")
        return number

    return parse


def duration(least: float, most: float) -> Callable[[object], float]:
    """A duration from *least* to *most* seconds, as `1m30s`, or as a number of seconds."""

    def parse(value: object) -> float:
        if isinstance(value, str) and re.fullmatch(r"[\d.]+", value.strip()) and value.strip() != "0":
            raise ValueError(f"{value!r} lacks its unit; write {value.strip()}s for seconds, or ms, m, h, d")
        seconds = _number(value) if not isinstance(value, str) else parse_duration(value.strip())
        if seconds is None:
            raise ValueError(f"{value!r} is not a duration; write it like 30s, 5m or 1h30m")
        if not least <= seconds <= most:
            raise ValueError(f"{value!r} is not between {format_duration(least)} and {format_duration(most)}")
        return seconds

    return parse


def size(value: object) -> int:
    """A number of bytes, as `32MiB`, or as a number; at least 1 MiB."""
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        unit = (found[2] or "").lower().removesuffix("b")
        size_bytes = float(found[1]) * _SIZE_UNITS[unit]
    elif (number := _number(value)) is not None:
        size_bytes = number
    else:
        raise ValueError(f"{value!r} is not a size; write it like 32MiB")
    if not 2**20 <= size_bytes <= 2**40:
        raise ValueError(f"{value!r} is not between 1MiB and 1024GiB")
    return int(size_bytes)


def shown_size(size_bytes: int) -> str:
    """*size_bytes* as `size` reads it."""
    for unit in ("GiB", "MiB", "KiB"):
        whole, rest = divmod(size_bytes, _SIZE_UNITS[unit.lower().removesuffix("b")])
        if not rest:
            return f"{whole}{unit}"
    return str(size_bytes)


def items(value: object) -> list[str]:
    """The parts of a list, or of text with commas; empty ones are left out."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, (list, tuple, set, frozenset)) or not all(isinstance(item, (str, Path)) for item in given):
        raise ValueError("this must be text, or a list of texts")
    return [word for item in given if (word := str(item).strip())]


def words(value: object) -> frozenset[str]:
    """Names, separated by commas, or a list of them."""
    return frozenset(items(value))


def paths(value: object) -> tuple[Path, ...]:
    """Files, separated by commas, or a list of them."""
    return tuple(Path(item).expanduser() for item in items(value))


def path(value: object) -> Path:
    """One file."""
    return Path(text(str(value) if isinstance(value, Path) else value)).expanduser()


def url(kind: UrlKind) -> Callable[[object], str]:
    """One URL of *kind*."""

    def parse(value: object) -> str:
        return _checked_url(text(value), kind)

    return parse


def host_name(given: str) -> str:
    """What a URL is called that was given no name: its host, and its port where that is told."""
    try:
        parts = urlsplit(given)
        words = [parts.hostname or "", str(parts.port or "")]
    except ValueError:
        return "default"
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(filter(None, words))).strip("-._")[:63] or "default"


def urls(
    kind: UrlKind, unnamed: Callable[[str], str] = lambda _: "default"
) -> Callable[[object], tuple[NamedUrl, ...]]:
    """Several `[NAME=]URL` of *kind*: separated by commas, a list of them, or a mapping of names to URLs.

    *unnamed* gives a name to those that come without one.
    """

    def parse(value: object) -> tuple[NamedUrl, ...]:
        found: dict[str, NamedUrl] = {}
        for entry in _entries(value):
            one = entry if isinstance(entry, NamedUrl) else _named_url(entry, kind, unnamed)
            if not NAME.fullmatch(one.name):
                raise ValueError(f"{one.name!r} is not a name; {NAME_RULE}")
            if one.name in found:
                raise ValueError(f"two are called {one.name!r}; give each a name of its own, as NAME={kind.example}")
            found[one.name] = NamedUrl(one.name, _checked_url(one.url, kind))
        return tuple(found.values())

    return parse


def cooldowns(value: object) -> Mapping[Severity, float]:
    """How long after its end an alert of each severity comes back without a word; the rest keep their defaults."""
    if not isinstance(value, Mapping):
        # Not TypeError: what is wrong with a value is said by ValueError only.
        raise ValueError(  # noqa: TRY004
            "this is written per severity: DOZOR_COOLDOWN__WARNING=5m, or a table [cooldown] in the file"
        )
    seconds = dict(_DEFAULT_COOLDOWNS)
    for name, given in value.items():
        severity = name if isinstance(name, Severity) else Severity.__members__.get(str(name).upper())
        if severity is None:
            raise PartsError({str(name): "this is not a severity; there are info, warning, critical and emergency"})
        try:
            seconds[severity] = duration(0, 7 * 86400)(given)
        except ValueError as error:
            raise PartsError({severity.value.lower(): str(error)}) from None
    return MappingProxyType(seconds)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _integer(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,12}\s*", value) else None


def _entries(value: object) -> list[Any]:
    if isinstance(value, Mapping):
        return [NamedUrl(str(name), text(one)) for name, one in value.items()]
    listed = [value] if isinstance(value, (str, NamedUrl)) else value
    if not isinstance(listed, (list, tuple)) or not all(isinstance(one, (str, NamedUrl)) for one in listed):
        raise ValueError("this must be a URL, a list of them, or a table of names and URLs")
    return [
        part
        for one in listed
        for part in ([one] if isinstance(one, NamedUrl) else _NEXT_URL.split(one))
        if isinstance(part, NamedUrl) or part.strip(" ,")
    ]


def _named_url(entry: str, kind: UrlKind, unnamed: Callable[[str], str]) -> NamedUrl:
    found = _NAMED_URL.fullmatch(entry.strip().rstrip(","))
    if found is None:
        raise ValueError(f"this is not a URL; write one like {kind.example}")
    written = found["url"].strip()
    return NamedUrl(unnamed(written) if found["name"] is None else found["name"].strip(), written)


def _checked_url(given: str, kind: UrlKind) -> str:
    scheme, separator, rest = given.partition("://")
    if not separator:
        raise ValueError(f"this is not a URL; write one like {kind.example}")
    known = kind.schemes.get(scheme.lower())
    if known is None:
        for pattern, sentence in kind.refused:
            if re.fullmatch(pattern, scheme.lower()):
                raise ValueError(sentence.format(scheme=scheme))
        raise ValueError(f"{scheme}:// is not known here; write a URL like {kind.example}")
    if re.search(r"\s", given):
        raise ValueError("there is white space in the URL; in a password write it as %20")
    if (parse := kind.parsed.get(known)) is not None:
        parse(given)
    else:
        _check_address(given, kind)
    return f"{known}://{rest}"


def _check_address(given: str, kind: UrlKind) -> None:
    if "," in re.split(r"[/?#]", given.partition("://")[2].rpartition("@")[2])[0]:
        several = f", or as one {redis_url.HOW}" if kind is REDIS else ""
        raise ValueError(
            f"there are several hosts in one URL; give each server a URL of its own, with its scheme{several}"
        )
    # urlsplit's own messages repeat parts of the URL, which may be parts of a password.
    try:
        parts = urlsplit(given)
        number, name = parts.port, parts.hostname
    except ValueError:
        raise ValueError(
            "the host or the port in the URL cannot be read; if its password has one of / ? # @ : [ ] in it, write that as "
            "%2F %3F %23 %40 %3A %5B %5D"
        ) from None
    if number == 0:
        raise ValueError("0 is not a port")
    if kind.needs_host and not name:
        raise ValueError(f"the URL names no host; write one like {kind.example}")
