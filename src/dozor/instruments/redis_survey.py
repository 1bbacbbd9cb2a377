"""What one Redis is asked less often than `INFO`: its commands, latency events, slow log's length, cluster, sentinel.

Only commands whose cost does not grow with the data. Each is optional: one that the server's ACL forbids is told by
`capabilities` and asked again much later, one that the server does not know not before it is another server.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from dozor.instruments.redis_commands import CommandStats, parse_calls, parse_histograms, parse_percentiles
from dozor.instruments.redis_failure import forbidden
from dozor.instruments.redis_info import Info, InfoValue, parse_info, run_id
from dozor.instruments.redis_link import RedisLink
from dozor.instruments.redis_surveyed import LatencyEvent, Standing, Surveyed
from dozor.instruments.text import printable

SURVEY_SECONDS: Final = 10.0
FORBIDDEN_SECONDS: Final = 300.0
"""After how long what was forbidden is tried again; each try is a line in the server's ACL LOG."""

_EVENTS: Final = 16
_POINTS: Final = 160
_SETTINGS: Final = ("slowlog-log-slower-than", "latency-monitor-threshold")

_PRIMARIES: Final = 16
_OF_PRIMARY: Final = ("replicas", "sentinels", "ckquorum")
_DOWN: Final = ("s_down", "o_down")

Question = tuple[str, ...]

ASKED: Final[Mapping[str, Question]] = {
    "commandstats": ("INFO", "commandstats"),
    "latencystats": ("INFO", "latencystats"),
    "latency|histogram": ("LATENCY", "HISTOGRAM"),
    "latency|latest": ("LATENCY", "LATEST"),
    "slowlog|len": ("SLOWLOG", "LEN"),
    "config|get": ("CONFIG", "GET", _SETTINGS[0]),
    "cluster|info": ("CLUSTER", "INFO"),
    "sentinel|masters": ("SENTINEL", "MASTERS"),
}


class RedisSurvey:
    """Asks one server, at a pace of its own. Belongs to one event loop; `surveyed`, `commands.windows` may be read in any thread."""

    def __init__(self) -> None:
        self.commands = CommandStats()
        self.surveyed = Surveyed()
        self.allowed: dict[str, bool] = {}
        """By the names in ASKED: whether the server's ACL allows it; what the server does not know is absent."""
        self._closed_until: dict[str, float] = {}
        self._run_id = ""

    def due(self, at: float) -> bool:
        """Whether it is time, *at* being monotonic seconds."""
        return at - self.surveyed.at >= SURVEY_SECONDS

    def server_is(self, info: Info) -> bool:
        """Whether it is another server that answers now than before; that may know and allow other commands."""
        found = run_id(info)
        if found == self._run_id:
            return False
        known, self._run_id = self._run_id, found
        self._closed_until.clear()
        self.commands.forget()
        return bool(known)

    async def ask(self, link: RedisLink, info: Info, at: float) -> None:
        """Ask what is due *at* (monotonic seconds). The answers to one round come together."""
        wanted = [name for name in ASKED if self._wanted(name, info) and at >= self._closed_until.get(name, -math.inf)]
        # Noted first: a server that cannot answer all this is not asked again each second.
        self.surveyed = replace(self.surveyed, at=at)
        own = dict(link.sent.by_name)
        answers = dict(zip(wanted, await link.ask(*(ASKED[name] for name in wanted)), strict=True))
        given = {name: answer for name, answer in answers.items() if self._note(name, answer, at)}
        events = parse_events(given["latency|latest"]) if "latency|latest" in given else None
        if events:
            events = await self._with_history(link, events)
        settings = given.get("config|get")
        if settings is not None:
            more = await link.ask(*(("CONFIG", "GET", name) for name in _SETTINGS[1:]))
            settings = [each for answer in (settings, *more) if isinstance(answer, list) for each in answer]
        self._take_commands(given, info, at, own)
        length = given.get("slowlog|len")
        primaries = parse_primaries(given["sentinel|masters"]) if "sentinel|masters" in given else None
        self.surveyed = Surveyed(
            at,
            latency_events=events,
            slow_log_length=length if isinstance(length, int) else None,
            settings=parse_settings(settings) if settings is not None else None,
            cluster=_flat(given.get("cluster|info")),
            primaries=primaries,
            standings=await self._standings(link, primaries or (), at),
        )

    def _wanted(self, name: str, info: Info) -> bool:
        sentinel = "sentinel" in info
        if name in {"slowlog|len", "commandstats", "latencystats"} or name.startswith("latency"):
            return not sentinel
        if name == "cluster|info":
            return info.get("cluster", {}).get("cluster_enabled") == 1
        return sentinel == (name == "sentinel|masters")

    def _note(self, name: str, answer: Any, at: float) -> bool:
        """Whether *answer* is one. What is refused is not asked again for a while, what is not known never."""
        if not isinstance(answer, Exception):
            if name == "latencystats" and not parse_info(answer):  # before Redis 7
                self._closed_until[name] = math.inf
            self.allowed[name] = True
            return True
        self._closed_until[name] = at + FORBIDDEN_SECONDS if forbidden(answer) else math.inf
        self.allowed.pop(name, None)
        if forbidden(answer):
            self.allowed[name] = False
        return False

    async def _with_history(self, link: RedisLink, events: Sequence[LatencyEvent]) -> tuple[LatencyEvent, ...]:
        known = {event.name: event for event in self.surveyed.latency_events or ()}
        new = [event for event in events if event.name not in known or known[event.name].at != event.at]
        answers = await link.ask(*(("LATENCY", "HISTORY", event.name) for event in new)) if new else []
        histories = {event.name: parse_history(answer) for event, answer in zip(new, answers, strict=True)}
        return tuple(
            replace(event, history=histories[event.name] if event.name in histories else known[event.name].history)
            for event in events
        )

    async def _standings(
        self, link: RedisLink, primaries: Sequence[Mapping[str, str]], at: float
    ) -> dict[str, Standing]:
        """How each of the first *primaries* stands, by its name."""
        names = [one["name"] for one in primaries[:_PRIMARIES] if one.get("name")]
        words = [word for word in _OF_PRIMARY if at >= self._closed_until.get(f"sentinel|{word}", -math.inf)]
        asked = [(name, word) for name in names for word in words]
        if not asked:
            return {}
        answers = await link.ask(*(("SENTINEL", word.upper(), name) for name, word in asked))
        found: dict[str, dict[str, Any]] = {name: {} for name in names}
        for (name, word), answer in zip(asked, answers, strict=True):
            said = str(answer) if isinstance(answer, Exception) else ""
            if "No such master" in said:  # the sentinel was told to forget it just now
                continue
            if "NOQUORUM" in said or self._note(f"sentinel|{word}", answer, at):
                found[name][word] = answer
        return {name: parse_standing(given) for name, given in found.items()}

    def _take_commands(self, given: Mapping[str, Any], info: Info, at: float, own: Mapping[str, int]) -> None:
        stats = given.get("commandstats")
        if not isinstance(stats, bytes):
            return
        percentiles = given.get("latencystats")
        uptime = info.get("server", {}).get("uptime_in_seconds", 0)
        self.commands.update(
            at,
            parse_calls(_section(stats, "commandstats")),
            uptime_seconds=float(uptime) if isinstance(uptime, int) else 0.0,
            histograms=parse_histograms(given.get("latency|histogram")),
            percentiles=parse_percentiles(_section(percentiles, "latencystats")),
            own=own,
        )


def parse_events(answer: Any) -> tuple[LatencyEvent, ...]:
    """The answer to `LATENCY LATEST`, at most 16 events; what is none is passed over."""
    found = []
    for entry in answer if isinstance(answer, list) else []:
        match entry:
            case [bytes(name), int(at), int(last), int(worst), *_]:
                found.append(LatencyEvent(_text(name), float(at), last / 1000, worst / 1000))
    return tuple(found[:_EVENTS])


def parse_history(answer: Any) -> tuple[tuple[float, float], ...]:
    """The answer to `LATENCY HISTORY`: time and seconds of each, oldest first."""
    found = []
    for entry in answer if isinstance(answer, list) else []:
        match entry:
            case [int(at), int(milliseconds)]:
                found.append((float(at), milliseconds / 1000))
    return tuple(found[-_POINTS:])


def parse_settings(answer: Sequence[Any]) -> dict[str, int]:
    """The answer to `CONFIG GET` for settings that are whole numbers."""
    flat = [_text(each) if isinstance(each, bytes) else "" for each in answer]
    pairs = zip(flat[::2], flat[1::2], strict=False)
    return {name: int(value) for name, value in pairs if value.removeprefix("-").isdecimal() and len(value) < 20}


def parse_primaries(answer: Any) -> tuple[Mapping[str, str], ...]:
    """The answer to `SENTINEL MASTERS`: each primary's fields by name."""
    found = []
    for entry in answer if isinstance(answer, list) else []:
        if isinstance(entry, list) and all(isinstance(each, bytes) for each in entry):
            flat = [_text(each) for each in entry]
            found.append(dict(zip(flat[::2], flat[1::2], strict=False)))
    return tuple(found)


def parse_standing(given: Mapping[str, Any]) -> Standing:
    """The answers to `SENTINEL REPLICAS`, `SENTINELS` and `CKQUORUM` of one primary, by their names in lower case."""
    replicas, sentinels = (
        sum(not any(flag in one.get("flags", "") for flag in _DOWN) for one in parse_primaries(given[word]))
        if word in given
        else None
        for word in ("replicas", "sentinels")
    )
    return Standing(
        replicas,
        None if sentinels is None else sentinels + 1,
        not isinstance(given["ckquorum"], Exception) if "ckquorum" in given else None,
    )


def _section(answer: Any, name: str) -> Mapping[str, InfoValue]:
    return parse_info(answer).get(name, {}) if isinstance(answer, bytes) else {}


def _flat(answer: Any) -> Mapping[str, InfoValue] | None:
    return parse_info(answer).get("", {}) if isinstance(answer, bytes) else None


def _text(value: bytes) -> str:
    return printable(value.decode("utf-8", "backslashreplace"), 256)
