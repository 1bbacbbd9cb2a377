"""The decisions of RFC 9111, taken by hishel's state machine, in terms of what this cache keeps. No I/O."""

import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
from hishel import (
    AnyState,
    CacheMiss,
    CacheOptions,
    Entry,
    FromCache,
    Headers,
    IdleClient,
    InvalidateEntries,
    NeedRevalidation,
    NeedToBeUpdated,
    Request,
    Response,
    StoreAndUse,
)

from dozor.response_cache import policy
from dozor.response_cache.entries import Found, StoredResponse, vary_values

RawHeaders = Sequence[tuple[bytes, bytes]]

_OPTIONS: Final = CacheOptions(shared=True, supported_methods=["GET"], allow_stale=False)
# hishel tells entries apart by an id. It is only ever given one, the one for these request headers.
_ENTRY_ID: Final = UUID(int=0)
_CONDITIONS: Final = frozenset({"if-none-match", "if-modified-since", "if-match", "if-unmodified-since"})
# These describe the body, which a 304 does not bring.
_OF_THE_BODY: Final = frozenset({"content-length", "content-type", "content-encoding", "content-range"})


class Plan(NamedTuple):
    """What to do with a request: answer it with *use*; else ask the handler, because of *reason* (RFC 9211's `fwd`).

    With *confirm* the handler is asked whether that still holds.
    """

    reason: str = ""
    use: StoredResponse | None = None
    confirm: "NeedRevalidation | None" = None


def plan(url: str, request: Mapping[str, str], found: Found) -> Plan:
    """What to do with a GET of *url* with these headers, given what was *found*."""
    kept = found.response
    if kept is None:
        return Plan("uri-miss" if found.variants is None else "vary-miss")
    headers = _internal_headers(kept)
    if not policy.may_answer(request, headers) or (kept.assumed and policy.personal(request)):
        return Plan("request")
    if policy.asks_for_newer(request, kept.age(time.time()), kept.fresh_seconds):
        request = {**request, "cache-control": "no-cache"}
    state = IdleClient(options=_OPTIONS).next(_request(url, request), [_entry(kept, headers)])
    if isinstance(state, FromCache):
        return Plan(use=kept)
    asked = "no-cache" in policy.directives(request.get("cache-control"))
    can_confirm = isinstance(state, NeedRevalidation) and policy.validators(headers)
    return Plan("request" if asked else "stale", confirm=state if can_confirm else None)  # type: ignore[arg-type]


def conditional(headers: RawHeaders, confirm: NeedRevalidation) -> list[tuple[bytes, bytes]]:
    """The request *headers* with the cache's conditions instead of the client's.

    Both together would leave open which copy a 304 means; the client's are answered from what is kept.
    """
    own = [
        (name.encode("latin-1"), confirm.request.headers[name].encode("latin-1"))
        for name, validator in (("if-none-match", "etag"), ("if-modified-since", "last-modified"))
        if validator in confirm.revalidating_entries[0].response.headers
    ]
    return [*(pair for pair in headers if header_name(pair) not in _CONDITIONS), *own]


def confirmed(kept: StoredResponse, confirm: NeedRevalidation, headers: RawHeaders) -> StoredResponse | None:
    """*kept* brought up to date by the *headers* of a 304; None where the handler meant some other response."""
    new = policy.joined(headers)
    state = _settled(confirm.next(Response(304, Headers({"date": formatdate(usegmt=True), **new}))))
    if not isinstance(state, NeedToBeUpdated):
        return None
    storable = state.updating_entries[0].response.headers
    replaced = new.keys() - _OF_THE_BODY - {"age"}
    merged = (
        *(pair for pair in kept.headers if header_name(pair) not in replaced),
        *(pair for pair in headers if header_name(pair) in replaced and header_name(pair) in storable),
    )
    return msgspec.structs.replace(
        kept,
        headers=merged,
        stored_at=time.time(),
        initial_age=policy.whole_number(new.get("age")) or 0,
        fresh_seconds=policy.freshness(policy.joined(merged)) or kept.fresh_seconds,
    )


def judge(
    url: str, request: Mapping[str, str], status: int, headers: RawHeaders, *, default_ttl: int | None
) -> StoredResponse | str:
    """The handler's response as it would be kept, still without a body; or why it must not be kept."""
    response, now = policy.joined(headers), time.time()
    assumed = default_ttl is not None and policy.takes_default(request, status, response)
    if assumed:
        response["cache-control"] = f"max-age={default_ttl}"
    if (reason := policy.unstorable_reason(request, status, response)) is not None:
        return reason
    initial_age = policy.whole_number(response.get("age")) or 0
    response.setdefault("date", formatdate(now - initial_age, usegmt=True))
    state = _settled(CacheMiss(_OPTIONS, _request(url, request)).next(Response(status, Headers(response))))
    if not isinstance(state, StoreAndUse):
        return "rfc9111"
    storable = state.response.headers.keys() - {"age"}
    return StoredResponse(
        url=url,
        stored_at=now,
        initial_age=initial_age,
        fresh_seconds=policy.freshness(response),
        assumed=assumed,
        status=status,
        headers=tuple(pair for pair in headers if header_name(pair) in storable),
        varied=vary_values(policy.vary_names(response), request),
        body=b"",
        route="",
    )


def header_name(header: tuple[bytes, bytes]) -> str:
    """The name of a raw *header*, in lower case."""
    return header[0].decode("latin-1").lower()


def _settled(state: AnyState) -> AnyState:
    # The one entry for these request headers is overwritten or forgotten; hishel's list of ids has nothing to add.
    while isinstance(state, InvalidateEntries):
        state = state.next()
    return state


def _request(url: str, headers: Mapping[str, str]) -> Request:
    return Request("GET", url, Headers(headers))


def _entry(kept: StoredResponse, headers: Mapping[str, str]) -> Entry:
    varied = {name: value for name, value in kept.varied.items() if value}
    return Entry(_ENTRY_ID, _request(kept.url, varied), Response(kept.status, Headers(headers)))


def _internal_headers(kept: StoredResponse) -> dict[str, str]:
    """The headers of *kept* such that hishel reads its age and freshness from them."""
    headers = policy.joined(kept.headers)
    headers["date"] = formatdate(kept.stored_at - kept.initial_age, usegmt=True)
    if policy.freshness(headers) != kept.fresh_seconds:  # it was assumed, or counted from another date
        said = headers.get("cache-control")
        fresh = f"max-age={kept.fresh_seconds}"
        headers["cache-control"] = f"{said}, {fresh}" if said else fresh
    return headers
