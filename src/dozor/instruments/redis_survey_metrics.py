"""What a survey of one Redis found out, as metric families under the names and labels of redis_exporter."""

from collections.abc import Iterator
from typing import Final

from dozor.instruments.redis_commands import CommandStats
from dozor.instruments.redis_labelled import PERCENTILES, Found, families
from dozor.instruments.redis_metrics import SHOWN, InfoMetrics
from dozor.instruments.redis_survey import RedisSurvey
from dozor.instruments.redis_surveyed import Surveyed
from dozor.model.sample import Family

_OF_PRIMARY: Final = (
    ("redis_sentinel_master_setting_ckquorum", "quorum", 1.0),
    ("redis_sentinel_master_setting_failover_timeout", "failover-timeout", 1.0),
    ("redis_sentinel_master_setting_parallel_syncs", "parallel-syncs", 1.0),
    ("redis_sentinel_master_setting_down_after_milliseconds", "down-after-milliseconds", 1.0),
    ("redis_sentinel_master_config_epoch", "config-epoch", 1.0),
    ("redis_sentinel_master_last_ok_ping_reply_seconds", "last-ok-ping-reply", 1000.0),
)
_STANDING: Final = (
    "redis_sentinel_master_ok_slaves",
    "redis_sentinel_master_ok_sentinels",
    "redis_sentinel_master_ckquorum_status",
)


def survey_families(survey: RedisSurvey, metrics: InfoMetrics) -> tuple[Family, ...]:
    """All of it, with the labels that *metrics* gives."""
    found = survey.surveyed
    cluster = {key: value for key, value in (found.cluster or {}).items() if key.startswith("cluster_")}
    return (*families(_found(survey.commands, found, metrics)), *metrics.scalars(cluster))


def _found(commands: CommandStats, found: Surveyed, metrics: InfoMetrics) -> Iterator[Found]:
    yield from _commands(commands, metrics)
    yield from _percentiles(commands, metrics)
    for event in found.latency_events or ():
        labels = metrics.labelled(event_name=event.name)
        yield "redis_latency_spike_last", labels, event.at
        yield "redis_latency_spike_duration_seconds", labels, event.last_seconds
    if found.slow_log_length is not None:
        yield "redis_slowlog_length", metrics.labelled(), float(found.slow_log_length)
    for one in (found.primaries or ())[:SHOWN]:
        address = f"{one.get('ip', '')}:{one.get('port', '')}"
        labels = metrics.labelled(master_name=one.get("name", ""), master_address=address)
        for name, key, by in _OF_PRIMARY:
            if one.get(key, "").isdecimal():
                yield name, labels, float(one[key]) / by
        if (standing := found.standings.get(one.get("name", ""))) is not None:
            for name, value in zip(_STANDING, standing, strict=True):
                if value is not None:
                    yield name, labels, float(value)


def _commands(commands: CommandStats, metrics: InfoMetrics) -> Iterator[Found]:
    for name, one in commands.current.items():
        labels = metrics.labelled(cmd=name)
        yield "redis_commands_total", labels, float(one.calls)
        yield "redis_commands_duration_seconds_total", labels, one.seconds
        if one.rejected is not None:
            yield "redis_commands_rejected_calls_total", labels, float(one.rejected)
        if one.failed is not None:
            yield "redis_commands_failed_calls_total", labels, float(one.failed)
    if commands.folded:
        yield "dozor_redis_folded", metrics.labelled(kind="commands"), float(commands.folded)


def _percentiles(commands: CommandStats, metrics: InfoMetrics) -> Iterator[Found]:
    for name, percentiles in commands.percentiles.items():
        labels, one = metrics.labelled(cmd=name), commands.current[name]
        for quantile, value in percentiles.items():
            yield PERCENTILES, metrics.labelled(cmd=name, quantile=quantile), value
        yield f"{PERCENTILES}_sum", labels, one.seconds * 1e6
        yield f"{PERCENTILES}_count", labels, float(one.calls)
