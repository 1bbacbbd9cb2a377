"""Monitoring for Python web backends: connection pools, queries, Redis, HTTP, host and runtime, with alerts that arrive.

from dozor import Dozor

dozor = Dozor(engine=engine, redis=redis_client)
dozor.install(app)
"""

from typing import TYPE_CHECKING, Any

from dozor._version import __version__
from dozor.errors import ConfigurationError, DeliveryError, DozorError, RuleError
from dozor.main import Dozor

if TYPE_CHECKING:
    from dozor.model.alert import Alert
    from dozor.model.notification import Notification
    from dozor.notify.notifier import Notifier
    from dozor.response_cache import ResponseCacheMiddleware
    from dozor.rules import Rule
    from dozor.settings import Settings

__all__ = [
    "Alert",
    "ConfigurationError",
    "DeliveryError",
    "Dozor",
    "DozorError",
    "Notification",
    "Notifier",
    "ResponseCacheMiddleware",
    "Rule",
    "RuleError",
    "Settings",
    "__version__",
]

# Imported at first use: an application that uses none of them does not wait for what they import.
_LAZY = {
    "Alert": "dozor.model.alert",
    "Notification": "dozor.model.notification",
    "Notifier": "dozor.notify.notifier",
    "ResponseCacheMiddleware": "dozor.response_cache",
    "Rule": "dozor.rules",
    "Settings": "dozor.settings",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'dozor' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
