"""Where a Redis' memory goes, and what follows from that, in words and with the working shown."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from dozor.overview.words import figure

Info = Mapping[str, Mapping[str, str | int | float]]

_MIB: Final = 2**20
# Below that, ratios say nothing: an empty server's fragmentation is always high.
_SMALL_BYTES: Final = 64 * _MIB


class MemoryPart(NamedTuple):
    """One part of the memory in use. *share* is of that, from 0 to 1."""

    name: str
    bytes: int
    share: float
    text: str


class MemoryAdvice(NamedTuple):
    """What to do, and the figures that it follows from."""

    text: str
    working: str


class MemoryPicture(Struct, frozen=True):
    """Where one server's memory goes. None is unknown; *limit* is None where none is set.

    *parts* add up to *used*, the largest first.
    """

    used: int | None
    limit: int | None
    peak: int | None
    resident: int | None
    fragmentation_ratio: float | None
    policy: str
    parts: tuple[MemoryPart, ...] = ()
    advice: tuple[MemoryAdvice, ...] = ()


_PARTS: Final = (
    ("client buffers", "mem_clients_normal", "Requests and answers of clients that are under way."),
    ("replica buffers", "mem_clients_slaves", "What replicas have not fetched yet."),
    ("replication backlog", "mem_replication_backlog", "Kept so that a replica that was away can catch up."),
    ("append-only buffers", "mem_aof_buffer", "What is about to be appended to the file."),
    ("cluster links", "mem_cluster_links", "Messages to other nodes."),
    ("startup", "used_memory_startup", "What an empty server takes."),
    ("scripts", "used_memory_scripts", "Cached scripts and functions."),
)


def memory_picture(info: Info) -> MemoryPicture:
    """What *info*, an answer to INFO, says of memory."""
    said = info.get("memory", {})
    used = _whole(said, "used_memory")
    ratio = said.get("mem_fragmentation_ratio")
    picture = MemoryPicture(
        used=used,
        limit=_whole(said, "maxmemory") or None,
        peak=_whole(said, "used_memory_peak"),
        resident=_whole(said, "used_memory_rss"),
        fragmentation_ratio=float(ratio) if isinstance(ratio, int | float) else None,
        policy=str(said.get("maxmemory_policy", "")),
    )
    if used is None or used <= 0:
        return picture
    parts = tuple(_parts(said, used))
    advice = (*_limits(picture, said), *_fragmentation(picture, said), *_buffers(parts, said), *_keys(parts))
    return MemoryPicture(
        used, picture.limit, picture.peak, picture.resident, picture.fragmentation_ratio, picture.policy, parts, advice
    )


def _parts(said: Mapping[str, str | int | float], used: int) -> Iterator[MemoryPart]:
    dataset = _whole(said, "used_memory_dataset")
    found = [(name, size, text) for name, key, text in _PARTS if (size := _whole(said, key)) is not None and size > 0]
    if dataset is not None:
        if dataset > 0:
            found.append(("dataset", min(dataset, used), "Keys and values."))
        rest = used - sum(size for _, size, _ in found)
        if rest > 0:
            found.append(("overhead", rest, "Hash tables of keys and expiries, and what else keeps the data in order."))
    for name, size, text in sorted(found, key=lambda each: -each[1]):
        yield MemoryPart(name, size, size / used, text)


def _limits(picture: MemoryPicture, said: Mapping[str, str | int | float]) -> Iterator[MemoryAdvice]:
    used, limit = picture.used or 0, picture.limit
    if limit is not None and used > 0.85 * limit:
        working = f"{_of(used, limit)} of maxmemory, policy {picture.policy or 'unknown'}"
        if picture.policy == "noeviction":
            yield MemoryAdvice(
                "It will soon refuse writes: raise maxmemory, let keys expire, or choose a policy that evicts.", working
            )
        elif picture.policy.startswith("volatile-"):
            yield MemoryAdvice("It will evict keys that have an expiry, and refuse writes when none is left.", working)
    system = _whole(said, "total_system_memory")
    if limit is None and system and used > 0.5 * system:
        yield MemoryAdvice(
            "Set maxmemory: without, the system ends the server when memory runs out.",
            f"{_of(used, system)} of the machine's memory is in use, and maxmemory is not set",
        )
    if picture.peak and used > _SMALL_BYTES and picture.peak > 2 * used:
        yield MemoryAdvice(
            "It once needed much more than now; the memory may not have gone back to the system.",
            f"peak {figure(picture.peak, 'bytes')}, now {figure(used, 'bytes')}",
        )


def _fragmentation(picture: MemoryPicture, said: Mapping[str, str | int | float]) -> Iterator[MemoryAdvice]:
    used, resident = picture.used or 0, picture.resident
    if resident is None or used < _SMALL_BYTES:
        return
    working = f"{figure(resident, 'bytes')} resident / {figure(used, 'bytes')} in use = {figure(resident / used)}"
    if resident < 0.9 * used:
        yield MemoryAdvice(
            "Part of its memory is in swap, which makes it slow: give the machine more memory, or set maxmemory lower.",
            working,
        )
    elif resident > 1.5 * used and resident - used > _SMALL_BYTES:
        running = said.get("active_defrag_running")
        text = (
            "Memory is fragmented: set activedefrag yes where the server has jemalloc, or restart it in a quiet hour."
        )
        yield MemoryAdvice("Memory is fragmented; defragmentation is running." if running else text, working)


def _buffers(parts: tuple[MemoryPart, ...], said: Mapping[str, str | int | float]) -> Iterator[MemoryAdvice]:
    advice = {
        "client buffers": "Clients do not fetch their answers, or send huge requests: look at omem and qbuf in CLIENT LIST.",
        "replica buffers": "A replica cannot keep up: look at its lag and at the network.",
        "append-only buffers": "The disk cannot keep up with the append-only file.",
    }
    for part in parts:
        if part.name in advice and part.share > 0.1 and part.bytes > 16 * _MIB:
            working = (
                f"{part.name}: {figure(part.bytes, 'bytes')}, {figure(100 * part.share, 'percent')} of what is in use"
            )
            yield MemoryAdvice(advice[part.name], working)
    scripts = _whole(said, "number_of_cached_scripts")
    if scripts is not None and scripts > 1000:
        yield MemoryAdvice(
            "Scripts are written with values in their text, so each is cached anew: pass values as KEYS and ARGV.",
            f"{scripts:,} scripts are cached",
        )


def _keys(parts: tuple[MemoryPart, ...]) -> Iterator[MemoryAdvice]:
    sizes = {part.name: part for part in parts}
    overhead, dataset = sizes.get("overhead"), sizes.get("dataset")
    if overhead is not None and dataset is not None and overhead.bytes > max(dataset.bytes, _SMALL_BYTES):
        yield MemoryAdvice(
            "Keeping order among the keys takes more than the values: put many small ones into hashes.",
            f"overhead {figure(overhead.bytes, 'bytes')}, dataset {figure(dataset.bytes, 'bytes')}",
        )


def _of(part: float, whole: float) -> str:
    return f"{figure(part, 'bytes')} / {figure(whole, 'bytes')} = {figure(100 * part / whole, 'percent')}"


def _whole(said: Mapping[str, str | int | float], key: str) -> int | None:
    value = said.get(key)
    return value if isinstance(value, int) else None
