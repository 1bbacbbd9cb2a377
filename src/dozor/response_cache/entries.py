"""What is kept in Redis, and how it is found again: one key for each URL, or one for each variant of it.

A response without `Vary` stands at its URL's key. One with `Vary` stands at a key of its own; the URL's key then names
the request headers on which it depends. Only GET, SET and DEL are used, on one key each, so that any server does,
a cluster's too.
"""

import hashlib
from collections.abc import Mapping
from typing import Final
from uuid import uuid4

import msgspec

from dozor.response_cache.connection import CacheConnection


class StoredResponse(msgspec.Struct, frozen=True, array_like=True, tag="response-1"):
    """A kept response.

    *stored_at* are Unix seconds by the time of day, since several machines read it. *initial_age* is what an `Age`
    header said then. *varied* are the request headers on which the response depends, as they were. *fresh_seconds* is
    how long the response may be used without asking, from *stored_at* and including the initial age; *assumed*: because
    of a default, not because the response says so. *route* is the template of the route that made it.
    """

    url: str
    stored_at: float
    initial_age: int
    fresh_seconds: int
    assumed: bool
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    varied: dict[str, str]
    body: bytes
    route: str

    def age(self, at: float) -> int:
        """Seconds since the response was made, at *at* (time of day)."""
        return max(0, int(at - self.stored_at)) + self.initial_age


class Variants(msgspec.Struct, frozen=True, array_like=True, tag="variants-1"):
    """Stands at a URL's key where its responses depend on request headers.

    *generation* is part of the variants' keys: deleting this record makes all of them unreachable at once.
    """

    generation: str
    names: tuple[str, ...]


_decoder: Final[msgspec.msgpack.Decoder[StoredResponse | Variants]] = msgspec.msgpack.Decoder(StoredResponse | Variants)
_encode: Final = msgspec.msgpack.Encoder().encode


class Found(msgspec.Struct, frozen=True):
    """The answer to a look-up. *variants* without *response*: the URL is known, but not for these request headers."""

    response: StoredResponse | None = None
    variants: Variants | None = None


class EntryStore:
    """Kept responses by URL. Every method raises `CacheUnavailable` where Redis does not do its part in time."""

    def __init__(self, connection: CacheConnection, key_prefix: str) -> None:
        self._connection, self._prefix = connection, key_prefix

    async def find(self, url: str, request_headers: Mapping[str, str]) -> Found:
        """What is kept for *url* and a request with these headers (names in lower case)."""
        record = await self._read(self._url_key(url))
        if not isinstance(record, Variants):
            return Found(record if record is not None and record.url == url else None)
        varied = vary_values(record.names, request_headers)
        response = await self._read(self._variant_key(url, record, varied))
        if not isinstance(response, StoredResponse) or response.url != url or response.varied != varied:
            response = None
        return Found(response, record)

    async def keep(self, response: StoredResponse, known: Variants | None, expire_seconds: int) -> None:
        """Keep *response* for *expire_seconds*. *known* is what `find` gave as variants for this request."""
        url_key = self._url_key(response.url)
        if not response.varied:
            await self._connection.write(url_key, _encode(response), expire_seconds)
            return
        names = tuple(response.varied)
        variants = known if known is not None and known.names == names else Variants(uuid4().hex, names)
        await self._connection.write(
            self._variant_key(response.url, variants, response.varied), _encode(response), expire_seconds
        )
        # Last, so that who reads it finds the variant; and every time, so that it lives as long as the newest one.
        await self._connection.write(url_key, _encode(variants), expire_seconds)

    async def forget(self, url: str) -> None:
        """Forget everything kept for *url*."""
        await self._connection.delete(self._url_key(url))

    async def _read(self, key: str) -> StoredResponse | Variants | None:
        data = await self._connection.read(key)
        if data is None:
            return None
        try:
            return _decoder.decode(data)
        except msgspec.MsgspecError:
            # Somebody else's key, or an older version's: as good as nothing, and soon overwritten.
            self._connection.garbage()
            return None

    def _url_key(self, url: str) -> str:
        return self._prefix + _digest(url)

    def _variant_key(self, url: str, variants: Variants, varied: Mapping[str, str]) -> str:
        return f"{self._url_key(url)}:{variants.generation}:{_digest(*varied.keys(), *varied.values())}"


def vary_values(names: tuple[str, ...], request_headers: Mapping[str, str]) -> dict[str, str]:
    """Of *request_headers* those in *names*, absent ones empty."""
    return {name: request_headers.get(name, "") for name in names}


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=20).hexdigest()
