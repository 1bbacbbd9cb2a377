"""What keys a Redis has, as far as it counts them itself: nobody scans."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from dozor.instruments.redis_info import Info, InfoValue, pairs

_DATABASE: Final = re.compile(r"db[0-9]{1,5}")
_DISTRIBUTION: Final = re.compile(r"(db[0-9]{1,5})_distrib_([a-z]+)_(sizes|items)")
_SCALES: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_MOST: Final = 64


class DatabaseKeys(NamedTuple):
    """One database. *average_ttl_seconds* is an estimate over a sample; None where no key expires."""

    name: str
    keys: int
    expiring: int
    average_ttl_seconds: float | None


class KeySizes(NamedTuple):
    """How large the keys of one type are (Redis 8 and later).

    *unit*: what is counted, `bytes` of a string or `items` of a collection. *buckets*: sizes from that on up to the next, and how
    many keys.
    """

    database: str
    type: str
    unit: str
    buckets: tuple[tuple[int, int], ...]


class Keyspace(Struct, frozen=True):
    """What is known of the keys of one server, the first 64 databases."""

    databases: tuple[DatabaseKeys, ...] = ()
    sizes: tuple[KeySizes, ...] = ()

    @property
    def keys(self) -> int:
        """In all."""
        return sum(one.keys for one in self.databases)

    @property
    def expiring(self) -> int:
        """With an expiry, in all."""
        return sum(one.expiring for one in self.databases)


def keyspace(info: Info) -> Keyspace:
    """What *info*, an answer to INFO, says of keys."""
    databases = [
        _database(name, pairs(value)) for name, value in info.get("keyspace", {}).items() if _DATABASE.fullmatch(name)
    ]
    return Keyspace(tuple(databases[:_MOST]), _sizes(info.get("keysizes", {})))


def _database(name: str, said: Mapping[str, str]) -> DatabaseKeys:
    keys, expiring, ttl = (_whole(said.get(key, "")) for key in ("keys", "expires", "avg_ttl"))
    return DatabaseKeys(name, keys, expiring, ttl / 1000 if expiring and ttl else None)


def _sizes(section: Mapping[str, InfoValue]) -> tuple[KeySizes, ...]:
    found = []
    for key, value in section.items():
        named = _DISTRIBUTION.fullmatch(key)
        if named:
            buckets = [(_size(bound), _whole(count)) for bound, count in pairs(value).items()]
            unit = "bytes" if named[3] == "sizes" else "items"
            found.append(
                KeySizes(named[1], named[2], unit, tuple((low, count) for low, count in buckets if low is not None))
            )
    return tuple(found[:_MOST])


def _size(text: str) -> int | None:
    """`512`, `1K`, `8M` as a number."""
    digits, scale = (text[:-1], text[-1]) if text[-1:] in _SCALES and text[-1:] else (text, "")
    return int(digits) * _SCALES[scale] if digits.isdecimal() and len(digits) < 16 else None


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0
