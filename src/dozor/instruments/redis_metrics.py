"""`INFO` as metric families, under the names and labels of redis_exporter.

What cannot change from one second to the next is not built twice: a family whose figure is the same is the same object.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from dozor.instruments.redis_fields import FIELDS, NEVER, OWN, STATES, Field
from dozor.instruments.redis_info import Info, InfoValue, pairs, run_id
from dozor.instruments.redis_labelled import Found, families
from dozor.metrics.instruments import OTHER
from dozor.model.labels import Labels
from dozor.model.sample import Family, Sample

SHOWN: Final = 64
"""How many databases, replicas, primaries of a sentinel and kinds of errors are shown one by one, of each; the rest is summed up."""

_REPLICA: Final = re.compile(r"slave[0-9]+")
_PRIMARY: Final = re.compile(r"master[0-9]+")
_DATABASE: Final = re.compile(r"db[0-9]+")
_IO_THREAD: Final = re.compile(r"used_active_time_io_thread_([0-9]+)")
_REMEMBERED: Final = 2000


class InfoMetrics:
    """Makes families of one server's answers to `INFO`. Not thread-safe.

    Args:
        labels: what every series has.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._fields: dict[str, tuple[InfoValue, Family]] = {}
        self._own: dict[str, tuple[float, Family]] = {}
        self._sets: dict[tuple[str, ...], Labels] = {}
        self._started: tuple[str, float] = ("", 0.0)

    def families(self, info: Info, at: float) -> list[Family]:
        """The families of *info*, which came *at* (Unix seconds)."""
        found: list[Family] = []
        for values in info.values():
            self._add(values, found)
        found += families(self._found(info, at))
        return found

    def scalars(self, values: Mapping[str, InfoValue]) -> list[Family]:
        """A family for each of *values* that is a metric by itself."""
        found: list[Family] = []
        self._add(values, found)
        return found

    def own(self, values: Mapping[str, float]) -> list[Family]:
        """A family for each of *values*, whose names stand in OWN."""
        found = []
        for name, value in values.items():
            known = self._own.get(name)
            if known is None or known[0] != value:
                known = self._own[name] = (value, own_family(name, self._labels, value))
            found.append(known[1])
        return found

    def labelled(self, **labels: str) -> Labels:
        """The server's labels with *labels*; the same object for the same values."""
        key = tuple(item for pair in labels.items() for item in pair)
        found = self._sets.get(key)
        if found is None:
            if len(self._sets) >= _REMEMBERED:
                self._sets.clear()
            found = self._sets[key] = self._labels.with_(labels)
        return found

    def _add(self, values: Mapping[str, InfoValue], found: list[Family]) -> None:
        fields = self._fields
        for key, value in values.items():
            known = fields.get(key)
            if known is not None and known[0] == value:
                found.append(known[1])
            elif (field := FIELDS.get(key)) is not None and (family := self._scalar(key, field, value)) is not None:
                fields[key] = (value, family)
                found.append(family)

    def _scalar(self, key: str, field: Field, value: InfoValue) -> Family | None:
        number = STATES.get(value) if isinstance(value, str) else float(value)
        if number is None or (number == -1 and key in NEVER):
            self._fields.pop(key, None)
            return None
        sample = Sample(field.name, self._labels, number if field.scale == 1.0 else number * field.scale)
        return Family(field.name, field.type, field.text, field.unit, (sample,))

    def _found(self, info: Info, at: float) -> Iterator[Found]:
        yield from self._server(info, at)
        yield from self._databases(info.get("keyspace", {}))
        yield from self._errors(info.get("errorstats", {}))
        replication = info.get("replication", {})
        yield from self._replicas(replication)
        if "master_host" in replication:
            yield from self._replica_itself(replication)
        yield from self._primaries(info.get("sentinel", {}))

    def _server(self, info: Info, at: float) -> Iterator[Found]:
        uptime = info.get("server", {}).get("uptime_in_seconds")
        if isinstance(uptime, int):
            # Whole seconds only, so it would waver: the first look at each run is kept.
            if self._started[0] != run_id(info):
                self._started = (run_id(info), float(int(at) - uptime))
            yield "redis_start_time_seconds", self._labels, self._started[1]
        for metric, section, key in _CONFIGURED:
            value = info.get(section, {}).get(key)
            if isinstance(value, int):
                yield metric, self._labels, float(value)
        for key, value in info.get("cpu", {}).items():
            thread = _IO_THREAD.fullmatch(key)
            if thread and not isinstance(value, str):
                labels = self.labelled(thread=thread[1])
                yield "redis_active_time_io_thread_seconds_total", labels, float(value)

    def _databases(self, keyspace: Mapping[str, InfoValue]) -> Iterator[Found]:
        databases = [(name, pairs(value)) for name, value in keyspace.items() if _DATABASE.fullmatch(name)]
        for name, values in databases[:SHOWN]:
            labels = self.labelled(db=name)
            yield from _present(labels, _numbers(values), _OF_DATABASE)
            if "avg_ttl" in values:
                yield "redis_db_avg_ttl_seconds", labels, _numbers(values).get("avg_ttl", 0.0) / 1000
        if rest := databases[SHOWN:]:
            for metric, key in _OF_DATABASE[:2]:
                total = sum(_numbers(values).get(key, 0.0) for _, values in rest)
                yield metric, self.labelled(db=OTHER), total
            yield self._folded("databases", len(rest))

    def _errors(self, errors: Mapping[str, InfoValue]) -> Iterator[Found]:
        counts = {key.removeprefix("errorstat_"): _numbers(pairs(value)).get("count") for key, value in errors.items()}
        known = [(word, count) for word, count in counts.items() if count is not None]
        for word, count in known[:SHOWN]:
            yield "redis_errors_total", self.labelled(err=word), count
        if rest := known[SHOWN:]:
            yield "redis_errors_total", self.labelled(err=OTHER), sum(count for _, count in rest)
            yield self._folded("errors", len(rest))

    def _replicas(self, replication: Mapping[str, InfoValue]) -> Iterator[Found]:
        replicas = [pairs(value) for key, value in replication.items() if _REPLICA.fullmatch(key)]
        for values in replicas[:SHOWN]:
            labels = self.labelled(
                slave_ip=values.get("ip", ""), slave_port=values.get("port", ""), slave_state=values.get("state", "")
            )
            yield from _present(labels, _numbers(values), _OF_REPLICA)
        if len(replicas) > SHOWN:
            yield self._folded("replicas", len(replicas) - SHOWN)

    def _replica_itself(self, replication: Mapping[str, InfoValue]) -> Iterator[Found]:
        host, port = str(replication["master_host"]), str(replication.get("master_port", ""))
        labels = self.labelled(master_host=host, master_port=port)
        link = replication.get("master_link_status")
        if link is not None:
            yield "redis_master_link_up", labels, float(link == "up")
        for metric, key in _OF_LINK:
            value = replication.get(key)
            if isinstance(value, int) and not (value == -1 and key in NEVER):
                yield metric, labels, float(value)
        read_only = str(replication.get("slave_read_only", ""))
        yield "redis_slave_info", self.labelled(master_host=host, master_port=port, read_only=read_only), 1.0

    def _primaries(self, sentinel: Mapping[str, InfoValue]) -> Iterator[Found]:
        primaries = [pairs(value) for key, value in sentinel.items() if _PRIMARY.fullmatch(key)]
        for values in primaries[:SHOWN]:
            name, address, status = (values.get(key, "") for key in ("name", "address", "status"))
            labels = self.labelled(master_name=name, master_address=address)
            well = self.labelled(master_name=name, master_address=address, master_status=status)
            yield "redis_sentinel_master_status", well, float(status == "ok")
            yield from _present(labels, _numbers(values), _OF_PRIMARY)
        if len(primaries) > SHOWN:
            yield self._folded("primaries", len(primaries) - SHOWN)

    def _folded(self, kind: str, count: int) -> Found:
        return "dozor_redis_folded", self.labelled(kind=kind), float(count)


def own_family(name: str, labels: Labels, value: float) -> Family:
    """The family of one figure of Dozor's own, whose name stands in OWN."""
    unit, text = OWN[name]
    made = Family.counter if name.endswith("_total") else Family.gauge
    return made(name, text, unit, value, labels)


_CONFIGURED: Final = (
    ("redis_config_maxclients", "clients", "maxclients"),
    ("redis_config_maxmemory", "memory", "maxmemory"),
)
_OF_DATABASE: Final = (
    ("redis_db_keys", "keys"),
    ("redis_db_keys_expiring", "expires"),
    ("redis_db_keys_cached", "cached_keys"),
)
_OF_REPLICA: Final = (
    ("redis_connected_slave_offset_bytes", "offset"),
    ("redis_connected_slave_lag_seconds", "lag"),
)
_OF_LINK: Final = (
    ("redis_master_last_io_seconds_ago", "master_last_io_seconds_ago"),
    ("redis_master_sync_in_progress", "master_sync_in_progress"),
    ("redis_slave_repl_offset", "slave_repl_offset"),
)
_OF_PRIMARY: Final = (
    ("redis_sentinel_master_slaves", "slaves"),
    ("redis_sentinel_master_sentinels", "sentinels"),
)


def _present(labels: Labels, numbers: Mapping[str, float], wanted: Iterable[tuple[str, str]]) -> Iterator[Found]:
    for metric, key in wanted:
        if key in numbers:
            yield metric, labels, numbers[key]


def _numbers(values: Mapping[str, str]) -> dict[str, float]:
    return {key: float(value) for key, value in values.items() if value.removeprefix("-").isdecimal()}
