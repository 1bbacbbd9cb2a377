"""The slow log of Redis, each entry counted once: across the wraps of its short list and the restarts of the server.

Arguments are hidden: they hold keys, values and, with AUTH or CONFIG SET, passwords.
"""

import re
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from dozor.instruments.text import printable

KEPT: Final = 500
FETCHED: Final = 128
"""How many entries are asked for at most; as many as the server keeps unless told otherwise."""

_SAME: Final = 3

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_SUBCOMMAND: Final = re.compile(r"[A-Za-z][A-Za-z-]{0,31}")
_MORE_ARGUMENTS: Final = re.compile(rb"\.\.\. \(([0-9]{1,9}) more arguments\)")
# Options of commands: what a user wrote is shown only where it is one of these words.
_OPTIONS: Final = frozenset(
    {
        b"AGGREGATE",
        b"ALPHA",
        b"ASC",
        b"BLOCK",
        b"BY",
        b"BYLEX",
        b"BYSCORE",
        b"CH",
        b"COUNT",
        b"DESC",
        b"EX",
        b"EXAT",
        b"GET",
    }
    | {
        b"GROUP",
        b"GT",
        b"INCR",
        b"KEEPTTL",
        b"LIMIT",
        b"LT",
        b"MATCH",
        b"MAXLEN",
        b"NOACK",
        b"NX",
        b"PX",
        b"PXAT",
        b"REV",
    }
    | {b"STORE", b"STREAMS", b"TYPE", b"WEIGHTS", b"WITHSCORES", b"WITHVALUES", b"XX"}
)
# Commands whose first argument says what they do, and is none of the user's.
_CONTAINERS: Final = frozenset(
    {"ACL", "CLIENT", "CLUSTER", "COMMAND", "COMMANDLOG", "CONFIG", "DEBUG", "FUNCTION", "LATENCY"}
    | {"MEMORY", "MODULE", "OBJECT", "PUBSUB", "SCRIPT", "SLOWLOG", "XGROUP", "XINFO"}
)


class SlowCommand(Struct, frozen=True):
    """One entry of the slow log.

    Attributes:
        id: the server's number for it; begins anew at 0 when the server does.
        at: when it ran, in Unix seconds of the server's clock.
        duration_seconds: how long it ran, without waiting and sending.
        command: its name, with the subcommand where there is one (`HGETALL`, `CONFIG SET`).
        arguments: how many arguments are not shown.
        client: address of the client that sent it, empty where the server does not say.
        client_name: what that client calls itself, or empty.
        shape: the command with its options, and `?` for all that may be the user's: `SORT ? BY ? LIMIT ? ?`.
    """

    id: int
    at: float
    duration_seconds: float
    command: str
    arguments: int
    client: str
    client_name: str
    shape: str = ""


def parse_entry(entry: Any) -> SlowCommand | None:
    """One element of the answer to `SLOWLOG GET`; None if it is not one."""
    match entry:
        case [int(number), int(at), int(microseconds), list(arguments), *client] if arguments:
            pass
        case _:
            return None
    words = [each if isinstance(each, bytes) else b"?" for each in arguments]
    command, hidden, said = _command(words)
    address, name = (*(_text(each) for each in client[:2]), "", "")[:2]
    shape = f"{command}{_shape(words[said:])}"
    return SlowCommand(number, float(at), microseconds / 1e6, command, hidden, address, name, shape)


def _shape(arguments: Sequence[bytes]) -> str:
    """Options by name, all else as `?`, many of which in a row are `? …`."""
    shown: list[str] = []
    hidden_in_a_row = 0
    for argument in arguments:
        option = argument.upper()
        if option in _OPTIONS:
            shown.append(option.decode())
            hidden_in_a_row = 0
            continue
        hidden_in_a_row += 1
        if hidden_in_a_row <= _SAME + 1:
            shown.append("?" if hidden_in_a_row <= _SAME else "…")
    return "".join(f" {word}" for word in shown)


def _command(arguments: Sequence[bytes]) -> tuple[str, int, int]:
    """What may be shown of *arguments*, how many are not, and how many make up what is shown."""
    hidden = len(arguments) - 1
    more = _MORE_ARGUMENTS.fullmatch(arguments[-1])
    if more:
        hidden += int(more[1]) - 1
    name = _text(arguments[0])
    if not _NAME.fullmatch(name):
        return printable(name, 64), hidden, 1
    name = name.upper()
    subcommand = _text(arguments[1]) if len(arguments) > 1 else ""
    if name in _CONTAINERS and _SUBCOMMAND.fullmatch(subcommand):
        return f"{name} {subcommand.upper()}", hidden - 1, 2
    return name, hidden, 1


def _text(value: object) -> str:
    return printable(value.decode("utf-8", "backslashreplace"), 256) if isinstance(value, bytes) else ""


class SlowLog:
    """What has appeared in one server's slow log. Not thread-safe, but for `entries` and `total`.

    Args:
        own_name: the name that Dozor's connections give themselves; their commands are left out.
    """

    def __init__(self, own_name: str) -> None:
        self._own_name = own_name
        self._own_address = ""
        self._entries: deque[SlowCommand] = deque(maxlen=KEPT)
        self._last_id: int | None = None
        self._run_id = ""
        self.entries: tuple[SlowCommand, ...] = ()
        """The newest `KEPT` entries, newest first."""
        self.total = 0
        """All entries ever seen or, where the server dropped them before they could be read, known by their numbers."""
        self.missed = 0
        """Of `total`, those that could not be read."""

    def connected(self, own_address: str) -> None:
        """Dozor's connection now has this address; where it may not name itself, its commands are known by that."""
        self._own_address = own_address

    def server_is(self, run_id: str) -> None:
        """The server that answers has this id; another one than before numbers its entries from 0."""
        if run_id and run_id != self._run_id:
            if self._run_id:
                self._last_id = None
            self._run_id = run_id

    def wanted(self, newest: Sequence[Any]) -> int:
        """How many entries to ask for, given the answer to `SLOWLOG GET 1`; 0 if there is nothing new."""
        entry = parse_entry(newest[0]) if newest else None
        if entry is None or entry.id == self._last_id:
            return 0
        if self._last_id is None or entry.id < self._last_id:
            return FETCHED
        # A few more than are new: others may arrive before the question does.
        return min(FETCHED, entry.id - self._last_id + 8)

    def take(self, answer: Sequence[Any]) -> None:
        """Take in the answer to `SLOWLOG GET n`, newest first."""
        entries = [entry for entry in map(parse_entry, answer) if entry is not None]
        if not entries:
            return
        newest = entries[0].id
        if self._last_id is not None and newest < self._last_id:
            self._last_id = None
        new = [entry for entry in entries if self._last_id is None or entry.id > self._last_id]
        # What the server had before Dozor came and no longer has is not counted: nobody saw it appear.
        missed = newest - self._last_id - len(new) if self._last_id is not None else 0
        others = [entry for entry in new if not self._is_own(entry)]
        self._last_id = newest
        self.missed += missed
        self.total += len(others) + missed
        self._entries.extendleft(reversed(others))
        self.entries = tuple(self._entries)

    def _is_own(self, entry: SlowCommand) -> bool:
        return entry.client_name == self._own_name or (entry.client != "" and entry.client == self._own_address)
