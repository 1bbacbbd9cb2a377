"""Several Redis servers that are one thing: a cluster, or a primary with its replicas and sentinels.

Each is watched by a monitor of its own; this asks one of them who they are, and follows as that changes.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from dozor.clock import Clock
from dozor.containment import contained
from dozor.instruments.last_reading import LastReading
from dozor.instruments.redis_cluster import ClusterEnquiry
from dozor.instruments.redis_connection import AnswerError
from dozor.instruments.redis_failure import RedisFailure, kind_of
from dozor.instruments.redis_link import RedisLink, Sent
from dozor.instruments.redis_metrics import InfoMetrics, own_family
from dozor.instruments.redis_monitor import RedisMonitor
from dozor.instruments.redis_sentinel import SentinelEnquiry
from dozor.instruments.redis_source import ClusterSource, Place, SentinelSource
from dozor.instruments.redis_target import RedisTarget
from dozor.instruments.redis_turns import Turn, TurnKind, failovers
from dozor.instruments.redis_view import MOST_NODES, Enquiry, Node, Role, View
from dozor.model.labels import Labels
from dozor.model.sample import Family

GONE_SECONDS: Final = 15.0
"""For how long nobody may speak of a node before it is watched no longer: a sentinel that was reset knows nobody at first."""

# How many are asked in one collection where the first does not answer, or finds the whole not well.
_MOST_ASKED: Final = 4


class NodeChanges(Struct, frozen=True):
    """What a collection changed: whom to watch from now on, whom no longer, and what there is to tell."""

    added: Sequence[RedisMonitor] = ()
    removed: Sequence[RedisMonitor] = ()
    turns: Sequence[Turn] = ()
    first: bool = False
    """Whether this is the first that is known of the whole."""


class _Reading(Struct, frozen=True):
    failure: RedisFailure | None = None
    at: float | None = None
    families: tuple[Family, ...] = ()


class RedisGroup(LastReading):
    """Watches a cluster, or what sentinels watch, as a whole, and says which nodes there are.

    Its connections to them are its own. `refresh` and `close` belong to one event loop; what reads may be called in any thread.

    Args:
        name: the label `redis` of the whole; a node's is `NAME/HOST:PORT`, a sentinel's `NAME/sentinel/HOST:PORT`.
        on_change: called on that loop when nodes come and go, or another one is primary.
    """

    def __init__(
        self, name: str, source: ClusterSource | SentinelSource, clock: Clock, *, interval: float = 1.0
    ) -> None:
        self.name = f"redis:{name}"
        self.redis_name = name
        self._enquiry: Enquiry = (
            ClusterEnquiry(source) if isinstance(source, ClusterSource) else SentinelEnquiry(source)
        )
        self._clock, self._interval = clock, interval
        self._limit_seconds = min(0.8 * interval, 1.0)
        self._labels = Labels(redis=name)
        self._metrics = InfoMetrics(self._labels)
        self._links: dict[Place, RedisLink] = {}
        self._sent: dict[Place, Sent] = {}
        self._asked: list[RedisTarget] = list(self._enquiry.seeds)
        self._missing_since: dict[str, float] = {}
        self._reading: _Reading = _Reading()
        self.view = View()
        """What is known of the whole."""
        self.nodes: Mapping[str, RedisMonitor] = {}
        """Who is watched, by the label `redis`; replaced as a whole."""
        self.on_change: Callable[[NodeChanges], None] = lambda _: None

    @property
    def kind(self) -> str:
        """`cluster` or `sentinel`."""
        return self._enquiry.kind

    @property
    def connected(self) -> bool | None:
        """Whether the cluster answers, or the primary that the sentinels name; None before that is known."""
        failure = self._reading.failure
        if self.kind == "cluster" or self.view.primary is None:
            return None if self._reading.at is None else failure is None or failure.answered
        return self._primary_monitor.connected if self._primary_monitor is not None else None

    @property
    def hint(self) -> str | None:
        """What is wrong, as a sentence that says what to do; None if nothing is."""
        if self._reading.failure is not None or self._primary_monitor is None:
            return super().hint
        return self._primary_monitor.hint if not self._primary_monitor.connected else None

    @property
    def unwatched(self) -> int:
        """How many nodes there are beyond those that are watched."""
        return max(0, len(self.view.nodes) - MOST_NODES)

    def figures(self) -> dict[str, float]:
        """The current value of each metric of the whole, by its name; what is unknown is absent."""
        return {one.name: one.samples[0].value for one in self.families()}

    def families(self) -> tuple[Family, ...]:
        """The metrics of the whole: `redis_connected`, and what a cluster says of itself."""
        connected = self.connected
        own = () if connected is None else (own_family("redis_connected", self._labels, float(connected)),)
        return (*own, *self._reading.families)

    def name_of(self, node: Node) -> str:
        """The label `redis` of *node*."""
        role = "sentinel/" if node.role is Role.SENTINEL else ""
        return f"{self.redis_name}/{role}{node.address}"

    def node_of(self, redis_name: str) -> Node | None:
        """The node whose label that is."""
        return next((node for node in self.view.nodes if self.name_of(node) == redis_name), None)

    async def refresh(self) -> None:
        """Ask who belongs together. Raises `RedisFailure` if nobody says so."""
        try:
            async with asyncio.timeout(self._limit_seconds):
                view = await self._ask_around()
        except asyncio.CancelledError:
            await self.close_links()
            self._failed(RedisFailure("timeout", self._asked[0].address))
            raise
        except (RedisFailure, TimeoutError) as error:
            # Without the cause: its text may hold credentials, and logs print it.
            failure = error if isinstance(error, RedisFailure) else RedisFailure("timeout", self._asked[0].address)
            raise self._failed(failure) from None
        await self._follow(view)
        figures = {name: value for name, value in view.figures.items() if name.startswith("cluster_")}
        self._reading = _Reading(at=self._clock.timestamp(), families=tuple(self._metrics.scalars(figures)))

    async def close(self) -> None:
        """Close all connections, those to the nodes too."""
        await self.close_links()
        for monitor in self.nodes.values():
            await monitor.close()

    async def close_links(self) -> None:
        """Close the connections of its own."""
        for link in self._links.values():
            link.drop()
        self._links.clear()

    @property
    def _primary_monitor(self) -> RedisMonitor | None:
        """Of what sentinels watch, the primary's monitor."""
        primary = self.view.primary if self.kind == "sentinel" else None
        return None if primary is None else self.nodes.get(self.name_of(primary))

    # -- asking --------------------------------------------------------------------------------------------------------

    async def _ask_around(self) -> View:
        """What the first says that finds all well; else what the first says that answers."""
        found: View | None = None
        failure: RedisFailure | None = None
        answered, silent = [], []
        began = self._clock.monotonic()
        for target in self._asked[:_MOST_ASKED]:
            left = self._limit_seconds - (self._clock.monotonic() - began)
            try:
                async with asyncio.timeout(left / 2):  # so that there is time for the next one if this one hangs
                    view = await self._ask(target)
            except Exception as error:  # noqa: BLE001 - a library's, a system's or a credential provider's: told apart below
                failure = failure or _failure(error, target)
                self._drop(target)
                silent.append(target)
                continue
            answered.append(target)
            if view.well:
                found = view
                break
            found = found or view
        if found is not None and found.well:
            answered = answered[-1:]
        # One that answers comes first; then those whose turn it has not been.
        self._asked = _in_order(answered[:1], self._asked[_MOST_ASKED:], answered, self._asked, last=silent)
        if found is None:
            raise failure or RedisFailure("timeout", self._asked[0].address)
        for place in [place for place in self._links if place != self._asked[0].place]:
            self._links.pop(place).drop()
        return found

    async def _ask(self, target: RedisTarget) -> View:
        link = self._links.get(target.place)
        if link is None:
            link = self._links[target.place] = RedisLink(target, self._sent_to(target))
        await link.open()
        view = self._enquiry.read(await link.ask(*self._enquiry.questions), target)
        teller = next((node for node in view.nodes if node.id == view.teller), None)
        if teller is not None:  # which may have been asked by another name than its own
            link.sent = self._sent_to(teller.target)
        return view

    def _drop(self, target: RedisTarget) -> None:
        if link := self._links.pop(target.place, None):
            link.drop()

    def _failed(self, failure: RedisFailure) -> RedisFailure:
        self._reading = _Reading(failure, self._clock.timestamp())
        return failure

    # -- following -----------------------------------------------------------------------------------------------------

    async def _follow(self, view: View) -> None:
        """Watch the nodes of *view* from now on."""
        now = self._clock.monotonic()
        # Who is watched already comes first: each node tells of the others in an order of its own.
        order = sorted(view.nodes, key=lambda node: (self.name_of(node) not in self.nodes, node.role is Role.SENTINEL))
        found = {self.name_of(node): node for node in order[:MOST_NODES]}
        added = {name: self._monitor(name, node) for name, node in found.items() if name not in self.nodes}
        removed = [self.nodes[name] for name in self._gone(found, now, certain=view.well)]
        self._know_peers(view)
        places = {one.place for one in (*self._asked, *(node.target for node in view.nodes))}
        self._sent = {place: sent for place, sent in self._sent.items() if place in places}
        before, self.view = self.view, view
        gone = {monitor.redis_name for monitor in removed}
        if added or gone:
            self.nodes = {**{name: one for name, one in self.nodes.items() if name not in gone}, **added}
        for monitor in removed:
            await monitor.close()
        turns = self._turns(before, added, gone)
        if added or gone or turns:
            with contained("redis.nodes"):
                self.on_change(NodeChanges([*added.values()], removed, turns, first=not before.nodes))

    def _turns(self, before: View, added: Iterable[str], gone: Iterable[str]) -> list[Turn]:
        """What there is to tell: nothing of what was there at the start."""
        if not before.nodes:
            return []
        name = self.redis_name
        return [
            *(
                Turn(
                    TurnKind.FAILOVER,
                    f"Redis {name} failed over: {now.address} is primary now, in place of {former.address}.",
                    self.name_of(now),
                )
                for now, former in failovers(before, self.view)
            ),
            *(Turn(TurnKind.ADDED, f"Redis {node} belongs to {name} now.", node) for node in added),
            *(Turn(TurnKind.REMOVED, f"{self.gone_words(node)}.", node) for node in gone),
        ]

    def gone_words(self, name: str) -> str:
        """What is said of a node that has gone: the reason why its alerts end."""
        return f"Redis {name} no longer belongs to {self.redis_name}"

    def _gone(self, found: Mapping[str, Node], now: float, *, certain: bool) -> list[str]:
        """Who has not been spoken of for long enough, by those who find all well."""
        missing = self.nodes.keys() - found.keys() if certain else set()
        self._missing_since = {name: self._missing_since.get(name, now) for name in missing}
        return [name for name, since in self._missing_since.items() if now - since >= GONE_SECONDS]

    def _monitor(self, name: str, node: Node) -> RedisMonitor:
        sent = self._sent_to(node.target)
        return RedisMonitor(name, node.target, self._clock, interval=self._interval, group=self.redis_name, sent=sent)

    def _sent_to(self, target: RedisTarget) -> Sent:
        """Counts what is sent to *target*, by its monitor and by this."""
        return self._sent.setdefault(target.place, Sent())

    def _know_peers(self, view: View) -> None:
        """Ask those of *view* too from now on, and no more who is neither among them nor was given."""
        known = {one.place: one for one in (*self._enquiry.peers(view), *self._enquiry.seeds)}
        first = [known.pop(one.place) for one in self._asked if one.place in known]
        self._asked = [*first, *known.values()]


def _in_order(*lists: Sequence[RedisTarget], last: Sequence[RedisTarget]) -> list[RedisTarget]:
    """Those of *lists*, each once, in their order; those of *last* at the end."""
    late = {one.place for one in last}
    found = {one.place: one for each in lists for one in each}
    return [one for one in found.values() if one.place not in late] + [*last]


def _failure(error: Exception, target: RedisTarget) -> RedisFailure:
    if isinstance(error, RedisFailure):
        return error
    kind = kind_of(error)
    # A server that refuses to log Dozor in says so at connect; what it says later is read with the answers.
    if kind == "error" and isinstance(error, AnswerError):
        kind = "noview"
    return RedisFailure(kind, target.address, tls=target.tls is not None)
