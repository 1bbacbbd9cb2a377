"""What an agent answers before the API is loaded: whether traffic may come, and `/metrics` to a scraper whose right is plain.

Whoever is not plainly let in here is left to the API, which has more ways in and says what is missing. Nobody is let in whom
it would refuse.
"""

import hmac
import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from dozor.clock import Clock
from dozor.doorman import Answer
from dozor.metrics import content_type, merge, prefers_openmetrics, render
from dozor.overview import Known, assess

if TYPE_CHECKING:
    from dozor.session import Session

_PORT: Final = re.compile(rb":\d+$")
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1"})
_OWN_NAMES: Final = frozenset({b"localhost", b"127.0.0.1", b"[::1]"})
# Of pages of other sites, of proxies, of bodies.
_NOT_PLAIN: Final = frozenset({
    b"origin", b"sec-fetch-site", b"forwarded", b"x-real-ip", b"via", b"content-length", b"transfer-encoding",
})  # fmt: skip


class PlainAnswers:
    """Answers by path, each a function of the ASGI scope; called on Dozor's loop. None: the API is to answer.

    Args:
        key: that a scraper shows; None: it must be on this machine.
        session: what works; None before it does and after.
    """

    def __init__(
        self, clock: Clock, key: str | None, known: Callable[[], Known], session: "Callable[[], Session | None]"
    ) -> None:
        self._clock, self._key, self._known, self._session = clock, key, known, session

    def by_path(self) -> Mapping[str, Callable[[Any], Answer | None]]:
        """All of them."""
        return {"/readyz": self.readiness, "/metrics": self.exposition}

    def readiness(self, _scope: Any) -> Answer:
        """503 where no traffic should come, and why."""
        reasons = list(assess(self._known(), self._clock.timestamp()).unready)
        said = {"status": "not ready" if reasons else "ready", "reasons": reasons}
        return Answer(503 if reasons else 200, json.dumps(said, separators=(",", ":")).encode())

    def exposition(self, scope: Any) -> Answer | None:
        """All metrics, for Prometheus."""
        session = self._session()
        if session is None or scope["method"] != "GET" or not plainly_allowed(scope, self._key):
            return None
        accept = next((value for name, value in scope["headers"] if name.lower() == b"accept"), b"")
        openmetrics = prefers_openmetrics(accept.decode("latin-1"))
        body = render(merge(session.scraper.collect()), openmetrics=openmetrics)
        return Answer(200, body, content_type(openmetrics=openmetrics).encode())


def plainly_allowed(scope: Any, key: str | None) -> bool:
    """Whether the request shows *key*, or there is none and it comes from this machine: straight, and from a program."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        lower = name.lower()
        if lower in headers or lower in _NOT_PLAIN or lower.startswith(b"x-forwarded-"):
            return False
        headers[lower] = value
    if key is not None:
        shown = headers.get(b"authorization")
        shown = headers.get(b"x-api-key", b"") if shown is None else shown.removeprefix(b"Bearer ")
        return hmac.compare_digest(shown, key.encode())
    peer = scope.get("client") or ("", 0)
    return peer[0] in _THIS_MACHINE and _PORT.sub(b"", headers.get(b"host", b"")) in _OWN_NAMES
