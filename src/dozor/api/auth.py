"""Who may ask Dozor: a key, the application's own rule, or nobody but this machine. And from where a browser may be sent.

Checked before a body is read. Nothing here depends on a cookie or on who is logged in to the application.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request

from dozor.api.backend import Access
from dozor.api.problems import Problem

MAX_BODY_BYTES: Final = 64 * 1024
SESSION_COOKIE: Final = "dozor_session"
SESSION_SECONDS: Final = 12 * 3600

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# A reverse proxy on this machine makes every stranger a loopback peer; these are how it gives itself away.
_PROXY_HEADERS: Final = frozenset({"forwarded", "x-real-ip", "via"})
_PROXY_PREFIX: Final = "x-forwarded-"
_HOW: Final = (
    "Set a key (DOZOR_API_KEY, sent as 'Authorization: Bearer KEY' or 'X-API-Key: KEY') or pass auth= to Dozor."
)
# The peer that Starlette's TestClient claims to be; a server over a socket always gives an address.
_TEST_PEER: Final = "testclient"

Gate = Callable[[Request], Awaitable[None]]


def guards(check: Gate, access: Access) -> list[Any]:
    """The dependencies of a guarded route: *check*, and after it the application's own `auth=`."""
    own = [] if access.dependency is None else [Depends(access.dependency)]
    return [Depends(check), *own]


def gate(access: Access, limit: int = MAX_BODY_BYTES) -> Gate:
    """A dependency that raises a Problem (401, 403, 413) for requests that may not pass; *limit* is that of the body."""

    async def check(request: Request) -> None:
        # async, so that it runs where it is called and not in the application's thread pool.
        check_origin(request, everywhere=access.loopback_only)
        if access.api_key is not None and not _same(presented_key(request), access.api_key):
            raise _unauthorized()
        if access.loopback_only:
            check_local(request)
        check_size(request, limit)

    return check


class Door:
    """The gate of the page, for browsers: they cannot send a key, so they show it once and get a session for it.

    A session is a signed end time; nothing is kept. It opens the page alone, never the API, and a page of another site can
    do nothing with it (SameSite=Strict, and `check_origin`).
    """

    def __init__(self, access: Access, now: Callable[[], float]) -> None:
        self._access, self._now = access, now
        self.guards = guards(self.check, access)
        """The dependencies of a guarded page."""

    @property
    def takes_key(self) -> bool:
        """Whether a key is set, which a person may show at the sign-in."""
        return self._access.api_key is not None

    @property
    def cookie(self) -> str:
        """The session cookie's name."""
        return SESSION_COOKIE

    @property
    def session_seconds(self) -> int:
        """How long a session lasts."""
        return SESSION_SECONDS

    async def check(self, request: Request) -> None:
        """Raise a Problem (401, 403, 413) for a request that may not pass."""
        access = self._access
        check_origin(request, everywhere=access.loopback_only)
        if access.api_key is not None:
            shown = _same(presented_key(request), access.api_key)
            if not shown and not self._is_open(request.cookies.get(SESSION_COOKIE, ""), access.api_key):
                raise _unauthorized()
        if access.loopback_only:
            check_local(request)
        check_size(request)

    def session(self, key: str) -> str | None:
        """What the session cookie holds for a right *key*; None for a wrong one."""
        right = self._access.api_key
        if right is None or not hmac.compare_digest(key.encode(), right.encode()):
            return None
        ends = str(int(self._now() + SESSION_SECONDS))
        return f"{ends}.{_signature(right, ends)}"

    def _is_open(self, session: str, key: str) -> bool:
        ends, _, signature = session.partition(".")
        signed = hmac.compare_digest(signature.encode(), _signature(key, ends).encode())
        return signed and ends.isdecimal() and int(ends) > self._now()


def _signature(key: str, ends: str) -> str:
    return hmac.new(key.encode(), f"dozor page until {ends}".encode(), hashlib.sha256).hexdigest()


def _same(shown: str, key: str) -> bool:
    # Header values arrive as Latin-1 whatever bytes were sent.
    return hmac.compare_digest(shown.encode("latin-1", "replace"), key.encode())


def _unauthorized() -> Problem:
    return Problem(
        401,
        "A key is needed: send 'Authorization: Bearer KEY' or 'X-API-Key: KEY'.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def presented_key(request: Request) -> str:
    """The key that came with *request*, or an empty string."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return request.headers.get("x-api-key", "")


def check_local(request: Request) -> None:
    """Let through what comes from this machine, straight and on purpose.

    Raises:
        Problem: 403 for another peer, for a proxy in between, and for a name that a stranger may have pointed at this
            machine (DNS rebinding).
    """
    peer = request.client.host if request.client else ""
    if any(name in _PROXY_HEADERS or name.startswith(_PROXY_PREFIX) for name in request.headers):
        raise Problem(403, f"Without a key, Dozor answers no request that came through a proxy. {_HOW}")
    if peer == _TEST_PEER:
        return
    if not _is_loopback(peer):
        raise Problem(403, f"Without a key, Dozor answers only requests from the machine it runs on. {_HOW}")
    host = _host_of(request.headers.get("host", ""))
    if not _is_own_name(host):
        raise Problem(
            403, f"Without a key, Dozor answers only under localhost or an address, not under {host!r}. {_HOW}"
        )


def check_origin(request: Request, *, everywhere: bool) -> None:
    """Refuse what a page of another site made a browser send. Programs send no such headers and pass.

    Reading is refused too where it is *everywhere*: behind no key, an application with open CORS would let any site that
    its developer visits read along.

    Raises:
        Problem: 403.
    """
    if request.method in _SAFE_METHODS and not (everywhere and "origin" in request.headers):
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        foreign = site not in {"same-origin", "none"}
    else:
        origin = request.headers.get("origin")
        own = {request.headers.get("host", ""), request.headers.get("x-forwarded-host", "")} - {""}
        foreign = origin is not None and urlsplit(origin).netloc.lower() not in {host.lower() for host in own}
    if foreign:
        raise Problem(403, "Dozor takes requests from its own page and from programs, not from pages of other sites.")


def check_size(request: Request, limit: int = MAX_BODY_BYTES) -> None:
    """Refuse a body that says it is longer than *limit* bytes, before any of it is read. Raises Problem 413."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > limit:
        raise _too_large(limit)


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body, of at most *limit* bytes whatever its headers say. Raises Problem 413."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> Problem:
    return Problem(413, f"The body may hold at most {limit} bytes.")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _host_of(header: str) -> str:
    """The name in a Host header, without port and brackets."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_own_name(host: str) -> bool:
    """Whether a stranger cannot own the name: an address, localhost, or a name without a dot."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return bool(host) and ("." not in host or host.endswith(".localhost"))
    return True
