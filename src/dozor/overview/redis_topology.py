"""What a Redis is in relation to others: role, replicas, cluster, sentinel; and whether what it holds is safe."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from dozor.instruments.redis_info import Info, InfoValue, instance, pairs
from dozor.instruments.redis_view import Role
from dozor.overview.evidence import RedisWhole
from dozor.overview.words import duration, figure

_REPLICA: Final = re.compile(r"slave[0-9]+")
_PRIMARY: Final = re.compile(r"master[0-9]+")
_MOST: Final = 64
_LAG_SECONDS: Final = 10


class Replica(NamedTuple):
    """One replica, as its primary sees it."""

    address: str
    state: str
    lag_seconds: int | None
    behind_bytes: int | None


class Primary(NamedTuple):
    """The primary of a replica, as that sees it."""

    address: str
    link_up: bool
    last_heard_seconds: int | None
    syncing: bool


class SentinelPrimary(NamedTuple):
    """A primary that a sentinel watches."""

    name: str
    address: str
    status: str
    replicas: int | None
    sentinels: int | None
    quorum: int | None


class Topology(Struct, frozen=True):
    """One server among others. *problems* are sentences; *cluster* holds the figures of CLUSTER INFO, None outside of one."""

    mode: str
    role: str
    version: str
    server: str
    replicas: tuple[Replica, ...] = ()
    primary: Primary | None = None
    persistence: Mapping[str, InfoValue] | None = None
    cluster: Mapping[str, InfoValue] | None = None
    sentinel: tuple[SentinelPrimary, ...] = ()
    problems: tuple[str, ...] = ()


def topology(
    info: Info, cluster: Mapping[str, InfoValue] | None = None, primaries: Sequence[Mapping[str, str]] | None = None
) -> Topology:
    """What *info* says, with the answers to CLUSTER INFO and SENTINEL MASTERS where there are any."""
    said = info.get("replication", {})
    kind = instance(info)
    replicas = tuple(_replica(said, pairs(value)) for key, value in said.items() if _REPLICA.fullmatch(key))[:_MOST]
    primary = _primary(said) if "master_host" in said else None
    persistence = {key: value for key, value in info.get("persistence", {}).items() if key in _PERSISTENCE}
    sentinel = tuple(_sentinel(info.get("sentinel", {}), primaries or ()))
    return Topology(
        kind["mode"] or ("cluster" if cluster is not None else ""),
        role_of(info),
        kind["version"],
        kind["server"],
        replicas,
        primary,
        persistence or None,
        cluster,
        sentinel,
        (
            *_of_replication(replicas, primary),
            *_of_persistence(persistence),
            *_of_cluster(cluster),
            *_of_sentinel(sentinel, info.get("sentinel", {})),
        ),
    )


def role_of(info: Info) -> str:
    """`primary`, `replica` or `sentinel`; empty where *info* does not say."""
    role = instance(info)["role"]
    return {"master": "primary", "slave": "replica"}.get(role, "sentinel" if "sentinel" in info else role)


_PERSISTENCE: Final = frozenset(
    {"loading", "rdb_last_save_time", "rdb_last_bgsave_status", "rdb_bgsave_in_progress", "rdb_changes_since_last_save"}
    | {"aof_enabled", "aof_last_write_status", "aof_last_bgrewrite_status", "aof_rewrite_in_progress"}
    | {"aof_current_size"}
)


def _replica(said: Mapping[str, InfoValue], one: Mapping[str, str]) -> Replica:
    offset, reached = said.get("master_repl_offset"), _whole(one.get("offset", ""))
    behind = max(0, offset - reached) if isinstance(offset, int) and reached is not None else None
    address = f"{one.get('ip', '')}:{one.get('port', '')}"
    return Replica(address, one.get("state", ""), _whole(one.get("lag", "")), behind)


def _primary(said: Mapping[str, InfoValue]) -> Primary:
    heard = said.get("master_last_io_seconds_ago")
    return Primary(
        f"{said['master_host']}:{said.get('master_port', '')}",
        said.get("master_link_status") == "up",
        heard if isinstance(heard, int) and heard >= 0 else None,
        said.get("master_sync_in_progress") == 1,
    )


def _sentinel(section: Mapping[str, InfoValue], primaries: Sequence[Mapping[str, str]]) -> Iterator[SentinelPrimary]:
    quorums = {one.get("name", ""): _whole(one.get("quorum", "")) for one in primaries}
    found = [pairs(value) for key, value in section.items() if _PRIMARY.fullmatch(key)]
    for one in found[:_MOST]:
        name = one.get("name", "")
        yield SentinelPrimary(
            name,
            one.get("address", ""),
            one.get("status", ""),
            _whole(one.get("slaves", "")),
            _whole(one.get("sentinels", "")),
            quorums.get(name),
        )


def _of_replication(replicas: Sequence[Replica], primary: Primary | None) -> Iterator[str]:
    if primary is not None and not primary.link_up:
        doing = "copies its data" if primary.syncing else "is not connected"
        yield f"It {doing}: the link to its primary {primary.address} is down, so what it serves is old."
    for replica in replicas:
        if replica.state != "online":
            yield f"Replica {replica.address} is not in step ({replica.state})."
        elif replica.lag_seconds is not None and replica.lag_seconds > _LAG_SECONDS:
            behind = "" if replica.behind_bytes is None else f", {figure(replica.behind_bytes, 'bytes')} behind"
            yield f"Replica {replica.address} has not been heard of for {duration(replica.lag_seconds)}{behind}."


def _of_persistence(said: Mapping[str, InfoValue]) -> Iterator[str]:
    if said.get("rdb_last_bgsave_status") == "err":
        yield "The last dump to disk failed: look for room on the disk and at vm.overcommit_memory, then at the server's log."
    if said.get("aof_last_write_status") == "err":
        yield "The append-only file cannot be written: look for room on the disk."
    if said.get("aof_last_bgrewrite_status") == "err":
        yield "The append-only file could not be rewritten, so it keeps growing."


def _of_cluster(cluster: Mapping[str, InfoValue] | None) -> Iterator[str]:
    if cluster is None:
        return
    if cluster.get("cluster_state") != "ok":
        assigned = cluster.get("cluster_slots_assigned")
        yield f"The cluster does not serve all keys: {assigned} of 16384 slots are assigned."
    for key, words in (("cluster_slots_fail", "have failed"), ("cluster_slots_pfail", "do not answer this node")):
        if (count := cluster.get(key)) not in {0, None}:
            yield f"{count} slots are on nodes that {words}."


def _of_sentinel(primaries: Sequence[SentinelPrimary], said: Mapping[str, InfoValue]) -> Iterator[str]:
    if said.get("sentinel_tilt") == 1:
        yield "The sentinel distrusts its clock (TILT) and takes no part in decisions."
    for one in primaries:
        if one.status != "ok":
            yield f"Primary {one.name} at {one.address} is {one.status}."
        if one.quorum is not None and one.sentinels is not None and one.sentinels < one.quorum:
            yield f"Primary {one.name} has {one.sentinels} sentinels, and {one.quorum} must agree on a failover."


def whole_problems(whole: RedisWhole) -> Iterator[str]:
    """What is not as it should be with a cluster, or what sentinels watch, each a sentence."""
    if whole.problem is not None:
        yield f"{whole.problem.rstrip('.?')}."
    if whole.kind == "cluster":
        yield from _of_cluster(whole.figures or None)
    replicated = {node.primary for _, node in whole.nodes if node.state == "ok" and node.primary}
    expected = whole.kind == "sentinel" or bool(replicated)  # a cluster of caches may do without
    for name, node in whole.nodes:
        if node.state != "ok":
            yield f"{node.role.capitalize()} {name} is {node.state} in the eyes of the others."
        elif expected and node.role is Role.PRIMARY and node.id not in replicated and (node.slots or not whole.figures):
            yield f"Primary {name} has no replica at work: if it fails, what it holds is gone."


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 19 else None
