"""What may be kept and used, as far as hishel's state machine leaves it to the cache: pure functions of headers."""

import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

# A response that has outlived its freshness is kept on for as long again, up to this, if the handler can confirm it.
_LONGEST_REVALIDATION_SECONDS: Final = 3600
# No response is kept longer than this, whatever it says; RFC 9111 lets a cache drop anything at any time.
_LONGEST_KEEP_SECONDS: Final = 30 * 86400

# An error that a middleware decorated with `Cache-Control` along with everything else must not stay.
_KEPT_STATUSES: Final = frozenset({200, 203, 204, 300, 301, 302, 307, 308, 404, 405, 410, 414, 501})


def joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Raw *headers* by name in lower case; values of one name are joined by commas, as RFC 9110 lets one do."""
    values: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        values[name] = f"{values[name]}, {value}" if name in values else value
    return values


def directives(cache_control: str | None) -> dict[str, str | None]:
    """The directives of a `Cache-Control` header by name in lower case; None for one without an argument."""
    found: dict[str, str | None] = {}
    for part in _split(cache_control or ""):
        name, separator, argument = part.partition("=")
        if name.strip():
            found.setdefault(name.strip().lower(), argument.strip().strip('"') if separator else None)
    return found


def whole_number(argument: str | None) -> int | None:
    """What `max-age`, `Age` or `Content-Length` says; None where it says nothing, or no whole number."""
    return min(int(argument), 2**31) if argument is not None and argument.isascii() and argument.isdigit() else None


def bypass_reason(headers: Mapping[str, str]) -> str | None:
    """Why a GET request with *headers* must go to the handler untouched; None where it need not."""
    if "range" in headers:
        return "range"
    if "no-store" in directives(headers.get("cache-control")):
        return "no-store"
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        return "request-body"
    if "upgrade" in headers:
        return "upgrade"
    return None


def unstorable_reason(request: Mapping[str, str], status: int, response: Mapping[str, str]) -> str | None:
    """Why a response must not be kept although RFC 9111 would let a cache do so; None where nothing speaks against it.

    Stricter than the RFC on purpose: a cookie that is handed to everybody is somebody else's session.
    """
    reasons = {
        "set-cookie": "set-cookie" in response,
        "vary": "*" in vary_names(response),
        "status": status not in _KEPT_STATUSES,
        "no-freshness": freshness(response) <= 0,
        # It could never be used without asking, and there would be nothing to ask by.
        "no-validator": "no-cache" in directives(response.get("cache-control")) and not validators(response),
        "authorization": not may_answer(request, response),
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def takes_default(request: Mapping[str, str], status: int, response: Mapping[str, str]) -> bool:
    """Whether a response says nothing about caching itself, so that a default freshness may be assumed for it.

    A request that says who it comes from may have been answered for that person alone.
    """
    says_something = {"cache-control", "expires", "pragma"} & response.keys()
    return status == 200 and not says_something and not personal(request)


def personal(request: Mapping[str, str]) -> bool:
    """Whether *request* says who it comes from."""
    return bool({"authorization", "cookie"} & request.keys())


def freshness(response: Mapping[str, str]) -> int:
    """Seconds for which a shared cache may use *response* without asking, by what it declares; 0 if it declares none."""
    said = directives(response.get("cache-control"))
    for name in ("s-maxage", "max-age"):
        if name in said:
            return whole_number(said[name]) or 0
    if "expires" not in response:
        return 0
    expires, made = _date(response["expires"]), _date(response.get("date"))
    return max(0, int(expires - (time.time() if made is None else made))) if expires is not None else 0


def keep_seconds(fresh_seconds: int, initial_age: int, response: Mapping[str, str]) -> int:
    """How long to keep a response: while it is fresh, and on while the handler can be asked whether it still holds."""
    remaining = fresh_seconds - initial_age
    if validators(response):
        remaining += min(fresh_seconds, _LONGEST_REVALIDATION_SECONDS)
    return min(remaining, _LONGEST_KEEP_SECONDS)


def asks_for_newer(request: Mapping[str, str], age: int, fresh_seconds: int) -> bool:
    """Whether the client wants something newer than what is kept, by `max-age` or `min-fresh` of its own."""
    said = directives(request.get("cache-control"))
    most, spare = whole_number(said.get("max-age")), whole_number(said.get("min-fresh"))
    return (most is not None and age > most) or (spare is not None and fresh_seconds - age < spare)


def may_answer(request: Mapping[str, str], response: Mapping[str, str]) -> bool:
    """Whether what was made for somebody else may answer *request*, which may say who it comes from."""
    return "authorization" not in request or _shared_on_purpose(response)


def validators(response: Mapping[str, str]) -> set[str]:
    """The headers of *response* by which a handler can be asked whether it still holds."""
    return {"etag", "last-modified"} & response.keys()


def vary_names(response: Mapping[str, str]) -> tuple[str, ...]:
    """The request headers on which *response* depends, in lower case and in order."""
    return tuple(sorted({name.strip().lower() for name in response.get("vary", "").split(",") if name.strip()}))


def not_modified(request: Mapping[str, str], response: Mapping[str, str]) -> bool:
    """Whether the client's own copy is the one that is kept, so that 304 will do (RFC 9110, 13.1)."""
    if (wanted := request.get("if-none-match")) is not None:
        etag = response.get("etag")
        tags = {_opaque(tag) for tag in _split(wanted)}
        return wanted.strip() == "*" or (etag is not None and _opaque(etag) in tags)
    since, modified = _date(request.get("if-modified-since")), _date(response.get("last-modified"))
    return since is not None and modified is not None and modified <= since


def _shared_on_purpose(response: Mapping[str, str]) -> bool:
    return bool({"public", "s-maxage", "must-revalidate"} & directives(response.get("cache-control")).keys())


def _opaque(etag: str) -> str:
    return etag.strip().removeprefix("W/")


def _date(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (TypeError, ValueError, OverflowError):
        return None


def _split(value: str) -> list[str]:
    """*value* at its commas, but for those between quotes."""
    parts, start, quoted = [], 0, False
    for position, character in enumerate(value):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            parts.append(value[start:position])
            start = position + 1
    parts.append(value[start:])
    return [part.strip() for part in parts if part.strip()]
