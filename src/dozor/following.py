"""A cluster, or what sentinels watch, as its nodes come and go: who is collected from, whose alerts end, what people are told."""

from collections.abc import Callable
from typing import Final

from dozor.instruments.redis_group import NodeChanges, RedisGroup
from dozor.instruments.redis_turns import TurnKind
from dozor.model.labels import Labels
from dozor.overview import Change, ChangeKind
from dozor.session import Session
from dozor.targets import Targets

_KINDS: Final = {
    TurnKind.FAILOVER: ChangeKind.FAILOVER,
    TurnKind.ADDED: ChangeKind.NODE_ADDED,
    TurnKind.REMOVED: ChangeKind.NODE_REMOVED,
}


def follow(targets: Targets, session: Session, now: Callable[[], float]) -> None:
    """Have the nodes of the groups among *targets* watched in *session* as they come and go; *now* dates what people are told."""
    for group in targets.redis_groups.values():
        group.on_change = _Follower(group, targets, session, now)


class _Follower:
    """Does what one group's changes ask for; called on Dozor's loop."""

    def __init__(self, group: RedisGroup, targets: Targets, session: Session, now: Callable[[], float]) -> None:
        self._group, self._targets, self._session, self._now = group, targets, session, now

    def __call__(self, changes: NodeChanges) -> None:
        session, at = self._session, self._now()
        if self._targets.redis_groups.get(self._group.redis_name) is not self._group:  # removed while it was asking
            return
        for monitor in changes.added:
            self._targets.redis[monitor.redis_name] = monitor
            session.watch(monitor)
        for monitor in changes.removed:
            self._targets.redis.pop(monitor.redis_name, None)
            session.forget(monitor)
            self._end_alerts(monitor.redis_name, at)
        if changes.first:
            self._end_old_alerts(at)
        session.changes.add(Change(at, _KINDS[turn.kind], turn.text, turn.subject) for turn in changes.turns)

    def _end_alerts(self, redis_name: str, at: float) -> None:
        reason = self._group.gone_words(redis_name)
        self._session.apply(self._session.lifecycle.remove_target(Labels(redis=redis_name), reason, at))

    def _end_old_alerts(self, at: float) -> None:
        """Those of nodes that went while Dozor did not run."""
        named = {alert.labels.get("redis") for alert in self._session.lifecycle.active(pending=True)}
        for name in named - self._group.nodes.keys():
            if name.startswith(f"{self._group.redis_name}/"):
                self._end_alerts(name, at)
