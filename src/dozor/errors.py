"""What can go wrong, as a tree.

    DozorError
    ├── ConfigurationError      a flag, variable, file, URL or argument is wrong; `dozor` ends with status 2
    │   └── RuleError           a rule file or a `Rule` is wrong; carries file, line and key
    ├── PromQLError             an expression cannot be parsed, or cannot be evaluated
    │   └── QueryLimitError     ... would take more samples, length or depth than is allowed
    │       └── QueryTimeout    ... or more time
    ├── AlertNotFound           no alert has that id
    ├── SilenceNotFound         no silence has that id
    ├── ChannelNotFound         no channel has that name
    ├── RuleNotFound            no rule has that name
    ├── NotificationNotFound    no notification in the outbox has that id
    ├── ActionForbidden         the alert's state does not allow that action
    ├── DeliveryError           a receiver did not take a notification
    └── StoreUnavailable        Dozor's own database did not answer in time, or at all

Each builds its message from what it is given; every message can be shown to a user as it is.
"""

from collections.abc import Iterable

__all__ = [
    "ActionForbidden",
    "AlertNotFound",
    "ChannelNotFound",
    "ConfigurationError",
    "DeliveryError",
    "DozorError",
    "NotificationNotFound",
    "PromQLError",
    "QueryLimitError",
    "QueryTimeout",
    "RuleError",
    "RuleNotFound",
    "SilenceNotFound",
    "StoreUnavailable",
    "nearest",
]


def nearest(written: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """Which of *known* somebody who wrote this may have meant; *likeness* from 0 to 1 is how alike the two must be."""
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

    return next(iter(get_close_matches(written, list(known), 1, likeness)), None)


class DozorError(Exception):
    """Any error that Dozor raises on purpose."""


class ConfigurationError(DozorError):
    """Something the user wrote is wrong. *key* is what they wrote it under, *origin* where (a flag, variable, file:line)."""

    def __init__(self, message: str, *, key: str | None = None, origin: str | None = None) -> None:
        self.key, self.origin = key, origin
        super().__init__(": ".join(part for part in (origin, key, message) if part))


class RuleError(ConfigurationError):
    """A rule is wrong. *line* counts from 1; *key* is the path to the fault, such as `groups[0].rules[2].expr`."""

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, key: str | None = None
    ) -> None:
        self.file, self.line = file, line
        super().__init__(message, key=key, origin=f"{file}:{line}" if file and line else file)


class PromQLError(DozorError):
    """An expression cannot be parsed or evaluated."""


class QueryLimitError(PromQLError):
    """An expression asks for more than one query may take."""


class QueryTimeout(QueryLimitError):  # noqa: N818 - named for what is the case, as in KeyError's family
    """An expression took longer than it may."""


class AlertNotFound(DozorError):  # noqa: N818 - named for what is the case, as in KeyError's family
    """No alert has this id."""

    def __init__(self, alert_id: str) -> None:
        self.alert_id = alert_id
        super().__init__(f"no alert has the id {alert_id!r}")


class SilenceNotFound(DozorError):  # noqa: N818
    """No silence has this id."""

    def __init__(self, silence_id: str) -> None:
        self.silence_id = silence_id
        super().__init__(f"no silence has the id {silence_id!r}")


class ChannelNotFound(DozorError):  # noqa: N818
    """No channel has this name."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        self.name = name
        told = ", ".join(sorted(known))
        super().__init__(
            f"no channel is called {name!r}; there are: {told}" if told else f"no channel is called {name!r}"
        )


class RuleNotFound(DozorError):  # noqa: N818
    """No rule has this name."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        self.name = name
        close = nearest(name, known)
        super().__init__(
            f"no rule is called {name!r}; did you mean {close}?" if close else f"no rule is called {name!r}"
        )


class QueryNotFound(DozorError):  # noqa: N818
    """No statement has this fingerprint."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        super().__init__(
            f"no statement has the fingerprint {fingerprint!r}; one that was not sent for long is forgotten, "
            "and queries/top lists those that are known"
        )


class PlanUnavailable(DozorError):  # noqa: N818
    """A statement has no plan that could be shown."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"there is no plan: {reason}")


class NotificationNotFound(DozorError):  # noqa: N818
    """No notification in the outbox has this id."""

    def __init__(self, row_id: int) -> None:
        self.row_id = row_id
        super().__init__(f"no notification has the id {row_id}; one that was delivered is forgotten after a while")


class ActionForbidden(DozorError):  # noqa: N818
    """The state of the alert, or of what else *what* names, does not allow the action."""

    def __init__(self, action: str, alert_id: str, state: str, *, what: str = "alert") -> None:
        self.action, self.alert_id, self.state = action, alert_id, state
        super().__init__(f"cannot {action} {what} {alert_id}: it is {state}")


class DeliveryError(DozorError):
    """A receiver did not take a notification.

    Args:
        receiver: the notifier's name.
        reason: what happened, in words, without secrets.
        recoverable: whether another attempt may succeed; if not, the notification goes to the dead letters at once.
        retry_after_seconds: how long the receiver asked to be left alone, if it did.
    """

    def __init__(
        self, receiver: str, reason: str, *, recoverable: bool = True, retry_after_seconds: float | None = None
    ) -> None:
        self.receiver, self.reason = receiver, reason
        self.recoverable, self.retry_after_seconds = recoverable, retry_after_seconds
        super().__init__(f"{receiver}: {reason}")


class StoreUnavailable(DozorError):  # noqa: N818
    """Dozor's own database does not answer."""
